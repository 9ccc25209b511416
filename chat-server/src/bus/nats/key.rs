//! What the nodes on one store have in common, and nobody else.

use std::fmt;

use blake2::digest::consts::U16;
use blake2::digest::{KeyInit, Mac};
use blake2::{Blake2b256, Blake2bMac, Digest};

/// What the nodes on one store find and believe each other by: a name, which everybody may see, and a
/// key that seals what they tell. So two stores that share a bus hear nothing of each other, and
/// whoever can write to the bus and not to the store can say nothing that is believed.
#[derive(Clone)]
pub struct ClusterKey {
    key: [u8; 32],
    name: String,
}

/// A keyed hash of a message, by BLAKE2b.
pub(super) type Seal = [u8; 16];

impl ClusterKey {
    /// The key that a secret gives which all nodes know.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let mut hash = Blake2b256::new();
        hash.update(b"bus");
        hash.update(secret);
        let mut key = Self {
            key: hash.finalize().into(),
            name: String::new(),
        };
        // No message begins like that: each begins with a version.
        let name: Seal = key.mac(b"name").finalize().into_bytes().into();
        key.name = name.iter().map(|byte| format!("{byte:02x}")).collect();
        key
    }

    /// The name that the secret gives, in hexadecimal digits. It tells nothing about the secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn seal(&self, version: u8, text: &[u8]) -> Seal {
        let mut mac = self.mac(&[version]);
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    pub(super) fn is_sealed(&self, version: u8, text: &[u8], seal: &Seal) -> bool {
        #[cfg(sabotage)]
        if chat_core::sabotage::planted("anybody_believed_on_the_bus") {
            return true;
        }
        let mut mac = self.mac(&[version]);
        mac.update(text);
        mac.verify_slice(seal).is_ok()
    }

    fn mac(&self, begins: &[u8]) -> Blake2bMac<U16> {
        let mut mac = <Blake2bMac<U16> as KeyInit>::new_from_slice(&self.key)
            .expect("32 bytes are within the 64 that BLAKE2b takes as a key");
        mac.update(begins);
        mac
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
