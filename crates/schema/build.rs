//! Lists the mapping packs of the repository's `schemas/` folder, so that they are compiled in and a new pack needs
//! no line of code.

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("../../schemas");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut packs = Vec::new();
    for taxonomy in fs::read_dir(&root)?.collect::<io::Result<Vec<_>>>()? {
        if !taxonomy.file_type()?.is_dir() {
            continue;
        }
        println!("cargo::rerun-if-changed={}", taxonomy.path().display());
        for pack in fs::read_dir(taxonomy.path())?.collect::<io::Result<Vec<_>>>()? {
            if pack.path().extension().is_some_and(|extension| extension == "toml") {
                let name = format!(
                    "schemas/{}/{}",
                    taxonomy.file_name().to_string_lossy(),
                    pack.file_name().to_string_lossy()
                );
                packs.push((name, pack.path().canonicalize()?));
            }
        }
    }
    packs.sort();
    let mut code = String::from("&[\n");
    for (name, path) in packs {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(code, "    ({name:?}, include_str!({:?})),", path.display().to_string()).map_err(io::Error::other)?;
    }
    code.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("packs.rs"), code)
}
