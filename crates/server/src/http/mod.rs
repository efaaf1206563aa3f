//! HTTP: the port, TLS, limits, and what is done around every request.

mod certificate;
pub(crate) mod limits;
mod listen;
pub(crate) mod observe;
mod tls;

pub use listen::{Peer, Port};
pub use tls::Tls;
