//! What this clone remembers only to be quick, in a form that is quick to read: bytes that do not
//! say what they mean, behind the name of their form and a checksum. Anything else is not believed.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::disk::Disk;
use crate::Result;
use crate::error::StoreError;

/// What is remembered at a place below `temp/`. What cannot be read is nothing.
pub fn recall<T: DeserializeOwned>(disk: &Disk, place: &str, form: &[u8]) -> Result<Option<T>> {
    let bytes = match disk.read(place) {
        Err(StoreError::Corrupt { .. } | StoreError::Outside { .. }) => None,
        read => read?,
    };
    Ok(bytes.and_then(|bytes| unseal(form, &bytes)))
}

/// Remembers it there. A failure costs time later and nothing else.
pub fn remember(disk: &Disk, place: &str, form: &[u8], value: &impl Serialize) {
    if let Ok(bytes) = seal(form, value)
        && disk.make_folder("temp").is_ok()
    {
        let _ = disk.replace(place, &bytes);
    }
}

pub fn seal(form: &[u8], value: &impl Serialize) -> postcard::Result<Vec<u8>> {
    let body = postcard::to_stdvec(value)?;
    let checksum = crc32fast::hash(&body).to_le_bytes();
    Ok([form, &checksum, &body].concat())
}

pub fn unseal<T: DeserializeOwned>(form: &[u8], bytes: &[u8]) -> Option<T> {
    let (checksum, body) = bytes.strip_prefix(form)?.split_at_checked(4)?;
    if crc32fast::hash(body).to_le_bytes() != checksum {
        return None;
    }
    postcard::from_bytes(body).ok()
}
