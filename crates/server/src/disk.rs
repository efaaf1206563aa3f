//! How much room is left where the state is.

use std::path::Path;

/// Free bytes on the file system of the path, as far as they are ours to use.
pub fn free(path: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_room_here_and_none_nowhere() {
        assert!(super::free(std::path::Path::new(".")).unwrap() > 0);
        assert!(super::free(std::path::Path::new("/no/such/place")).is_err());
    }
}
