//! How a webhook shows that it comes from here and now, as standardwebhooks.com describes it: a MAC over id, time and body,
//! which any of that specification's libraries checks.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs bodies with a shared secret.
pub(crate) struct Signer(Vec<u8>);

impl Signer {
    /// `whsec_` and base64, as the specification has it, or any text, whose bytes are the key.
    pub(crate) fn new(secret: &str) -> Result<Self, String> {
        match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD
                .decode(encoded)
                .map(Self)
                .map_err(|_| "what follows `whsec_` is not base64; give the secret as it was issued".into()),
            None => Ok(Self(secret.as_bytes().to_vec())),
        }
    }

    /// The value of the header `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        // Keys of any length are taken: the error cannot be.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_example_of_the_specification() {
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert!(Signer::new("whsec_*").is_err());
        assert_eq!(format!("{signer:?}"), "Signer(…)");
    }
}
