//! Alerts into a file, a JSON line each, on disk before they count as delivered.
//!
//! The file is appended to and, when it is large enough, renamed to `NAME.1`, `NAME.1` to `NAME.2` and so on; the oldest
//! is removed. What a crash left of a half-written line is ended with a line break, and the alert is written again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use lurcher_schema::Timestamp;
use serde::Deserialize;

use crate::{
    amount::Size,
    connector::{Connector, Context},
    fault::{Fault, Outcome},
    letter::{Format, Letter},
};

/// `type = "file"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file; its folder must be there.
    pub path: PathBuf,
    /// How the alert is laid out.
    #[serde(default = "native")]
    pub format: Format,
    /// When to begin a new file.
    #[serde(default = "hundred_mebibytes")]
    pub max_size: Size,
    /// How many full files are kept.
    #[serde(default = "ten")]
    pub keep: u32,
}

fn native() -> Format {
    Format::Native
}

fn hundred_mebibytes() -> Size {
    Size(100 << 20)
}

fn ten() -> u32 {
    10
}

/// Writes letters in batches.
pub(crate) struct LineFile {
    context: Arc<Context>,
    config: FileConfig,
}

impl LineFile {
    pub(crate) fn new(config: &FileConfig, context: Arc<Context>) -> Result<Self, String> {
        if config.path.file_name().is_none() {
            return Err(format!("path: {} is not the name of a file", config.path.display()));
        }
        if !folder(&config.path).is_dir() {
            return Err(format!("path: the folder {} is not there; make it", folder(&config.path).display()));
        }
        if config.keep > 1000 {
            return Err("keep: more than 1000 files are not kept".into());
        }
        Ok(Self { context, config: config.clone() })
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The name of a full file, the newest of which is 1.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Appends the lines and waits until they are on disk.
fn append(config: &FileConfig, lines: &[u8]) -> io::Result<()> {
    let path = &config.path;
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size > 0 && size + lines.len() as u64 > config.max_size.0 {
        rotate(config)?;
    }
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(lines.len() + 1);
    if ends_within_a_line(&mut file)? {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(lines);
    file.write_all(&bytes)?;
    file.sync_all()?;
    if size == 0 {
        // The name must be on disk too.
        File::open(folder(path))?.sync_all()?;
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o640);
    }
    options.open(path)
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn rotate(config: &FileConfig) -> io::Result<()> {
    if config.keep == 0 {
        return fs::remove_file(&config.path);
    }
    for number in (1..config.keep).rev() {
        match fs::rename(numbered(&config.path, number), numbered(&config.path, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(&config.path, numbered(&config.path, 1))
}

#[async_trait]
impl Connector for LineFile {
    fn batch(&self) -> usize {
        self.context.batch.unwrap_or(500)
    }

    async fn send(&self, letters: &[Letter], _: Timestamp) -> Vec<Outcome> {
        let mut lines = Vec::new();
        for letter in letters {
            for document in letter.documents(self.config.format) {
                lines.extend_from_slice(document.to_string().as_bytes());
                lines.push(b'\n');
            }
        }
        let config = self.config.clone();
        let path = config.path.display().to_string();
        match tokio::task::spawn_blocking(move || append(&config, &lines)).await {
            Ok(Ok(())) => vec![Outcome::Delivered; letters.len()],
            Ok(Err(error)) => Fault::target(format!("{path}: {error}")).for_all(letters.len()),
            Err(error) => Fault::target(format!("{path}: {error}")).for_all(letters.len()),
        }
    }

    async fn probe(&self, _: Timestamp) -> Result<String, String> {
        let path = self.config.path.clone();
        let opened = tokio::task::spawn_blocking(move || open(&path).map(|_| ())).await;
        match opened {
            Ok(Ok(())) => Ok(format!("{} can be written to", self.config.path.display())),
            Ok(Err(error)) => Err(format!("{}: {error}", self.config.path.display())),
            Err(error) => Err(error.to_string()),
        }
    }
}
