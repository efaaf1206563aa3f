//! Ids of what people make. (Ids of what is found come from what was found.)

use crate::{Error, Result};

/// Sixteen hexadecimal digits at random.
pub(crate) fn random_id() -> Result<String> {
    Ok(hex(&random::<8>()?))
}

/// Bytes from the system's source of randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Place(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
