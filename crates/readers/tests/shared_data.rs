//! Recorded events that are too large, or not ours, to keep in the repository: counted against their manifest, and
//! EVTX against JSON of the same events. Each test says so and ends where the data is absent.

#![allow(clippy::unwrap_used)] // Data that is there but cannot be read fails the test.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use lurcher_readers::{Gravity, Input, ReadOptions, Report, read, read_stream};
use lurcher_schema::Event;

fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if folder.join("MANIFEST.csv").exists() {
        return Some(folder);
    }
    eprintln!("skipped: ../shared/data is not there");
    None
}

fn events(path: &Path) -> (Vec<Event>, Report) {
    let mut events = Vec::new();
    let report = read(&Input::File(path.to_owned()), &ReadOptions::default(), &mut |batch| {
        events.extend((0..batch.rows()).map(|row| batch.event(row)));
    });
    events.sort_by(|a, b| a.reference.cmp(&b.reference));
    (events, report)
}

/// Every file of the manifest has as many Windows events as the manifest says.
#[test]
fn every_event_of_the_manifest_is_read() {
    let Some(data) = data() else { return };
    let mut manifest = csv::Reader::from_path(data.join("MANIFEST.csv")).unwrap();
    let columns: BTreeMap<String, usize> =
        manifest.headers().unwrap().iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
    let (mut wrong, mut total) = (Vec::new(), Report::default());
    for row in manifest.records() {
        let row = row.unwrap();
        let file = &row[columns["file"]];
        let expected: u64 = row[columns["events"]].parse().unwrap_or(0);
        let path = [file.to_owned(), format!("{file}.gz")].map(|file| data.join(file)).into_iter().find(|p| p.exists());
        let Some(path) = path else { continue };
        // The large ones take minutes in a debug build.
        if fs::metadata(&path).unwrap().len() > 256 << 10 && std::env::var_os("LURCHER_ALL_DATA").is_none() {
            continue;
        }
        let report = read(&Input::File(path), &ReadOptions::default(), &mut |_| {});
        let windows = report.dialects.get("windows").copied().unwrap_or(0);
        // From a damaged file more may be had than the manifest's maker got.
        let fits = if report.errors() > 0 { windows >= expected } else { windows == expected || expected == 0 };
        if !fits {
            wrong.push(format!("{file}: {windows} events, not {expected}"));
        }
        total.merge(report);
    }
    eprintln!("{} events, {} bytes, {:?}", total.events, total.bytes, total.dialects);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// EVTX and the JSON that `evtx_dump` made of it come out as the same raw fields, but for blanks at the end of values
/// and one letter's case, which the makers of the JSON changed.
#[test]
fn evtx_and_json_of_the_same_events_are_equal() {
    let Some(data) = data() else { return };
    let mut pairs = 0;
    let mut different = Vec::new();
    let mut todo = vec![data.join("sigma_regression")];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let json = path.with_extension("json");
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "evtx") && json.exists() {
                let (evtx, report) = events(&path);
                assert!(report.problems.iter().all(|p| p.gravity != Gravity::Error), "{:?}", report.problems);
                let (json, _) = events(&json);
                assert_eq!(evtx.len(), json.len(), "{}", path.display());
                for (a, b) in evtx.iter().zip(&json) {
                    let sorted = |event: &Event| {
                        event
                            .raw
                            .iter()
                            .map(|(k, v)| format!("{k} = {}", v.to_string().trim_end().to_lowercase()))
                            .collect::<std::collections::BTreeSet<_>>()
                    };
                    let (left, right) = (sorted(a), sorted(b));
                    let only: Vec<_> = left.symmetric_difference(&right).collect();
                    if !only.is_empty() {
                        different.push(format!("{}: {only:#?}", path.display()));
                    }
                    assert_eq!((&a.shape, a.time), (&b.shape, b.time));
                }
                pairs += 1;
            }
        }
    }
    assert!(pairs > 100);
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// An EVTX file of many chunks.
fn many_chunks() -> Option<Vec<u8>> {
    let folder = data()?.join("events/nolicense/Yamato-Security_hayabusa-sample-evtx/DeepBlueCLI");
    let compressed = fs::read(folder.join("many-events-application.evtx.gz")).ok()?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// Chunks read apart make the same events, under the same numbers, as the file read whole.
#[test]
fn evtx_chunks_read_apart_make_the_whole() {
    let Some(bytes) = many_chunks() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, bytes).unwrap();
    let read = |piece_bytes| {
        let mut events = Vec::new();
        read(&Input::File(path.clone()), &ReadOptions { piece_bytes, ..ReadOptions::default() }, &mut |batch| {
            for event in (0..batch.rows()).map(|row| batch.event(row)) {
                // The order of columns is an accident of the batch.
                let mut fields: Vec<_> = event.raw.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                events.push((event.reference, fields));
            }
        });
        events.sort_by(|a, b| a.0.cmp(&b.0));
        events
    };
    assert!(read(1 << 16) == read(1 << 30));
}

/// Damage to an EVTX file is said, and costs the records that it hits, not the file.
#[test]
fn a_damaged_evtx_file_is_read_as_far_as_can_be() {
    let Some(bytes) = many_chunks() else { return };
    let count = |bytes: &[u8]| read_stream("x", &mut &*bytes, &ReadOptions::default(), &mut |_| {});
    let whole = count(&bytes).events;
    let mut state = 1_u64;
    for _ in 0..20 {
        let mut damaged = bytes.clone();
        for _ in 0..30 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bit = (state >> 20) as usize % (damaged.len() * 8);
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
        let events = count(&damaged).events;
        assert!(events * 10 > whole * 8, "{events} of {whole}");
    }
    // The head of the second chunk is gone: its records are found without it.
    let mut damaged = bytes.clone();
    damaged[4096 + 65536..4096 + 65536 + 128].fill(0xff);
    let report = count(&damaged);
    assert_eq!(report.problems[0].code, "evtx-chunk");
    assert!(report.events + 5 >= whole, "{} of {whole}", report.events);
    // The file ends in the middle of a chunk.
    let report = count(&bytes[..4096 + 65536 * 3 + 30000]);
    assert!(report.problems.iter().any(|p| p.code == "evtx-truncated"), "{:?}", report.problems);
    assert!(report.events > 0);
}

/// Zeek, audit records, `CloudTrail`, Office 365 and Sysmon for Linux are known by name, not as something unknown.
#[test]
fn recorded_logs_of_other_sources_are_known() {
    let Some(data) = data() else { return };
    let folder = data.join("events/permissive/OTRF_Security-Datasets/datasets");
    for (file, dialect, least) in [
        ("atomic/aws/collection/ec2_proxy_s3_exfiltration.zip", "cloudtrail", 50),
        ("atomic/linux/discovery/host/sh_arp_cache.zip", "auditd", 10),
        ("compound/LSASS_campaign_01/metasploit_logonpasswords_lsass_memory_dump_zeek_logs.zip", "zeek", 50),
        ("compound/apt29/day2/zeek/UTICA-D-zeek_logs.zip", "zeek", 500),
        ("compound/Log4Shell/syslog_sysmon_log4shell_cve2021_44228_jndi_reference.zip", "windows", 50),
        ("compound/Log4Shell/syslog_auoms_auditd_log4shell_cve2021_44228_jndi_reference.zip", "syslog", 10),
        ("compound/GoldenSAMLADFSMailAccess/OfficeActivityEvents.Zip", "m365", 1),
    ] {
        let path = folder.join(file);
        if !path.exists() {
            eprintln!("skipped: {file} is not there");
            continue;
        }
        let (_, report) = events(&path);
        let known = report.dialects.get(dialect).copied().unwrap_or(0);
        let unknown = report.dialects.get("unknown").copied().unwrap_or(0);
        eprintln!("{file}: {:?}, {} errors, skipped {:?}", report.dialects, report.errors(), report.skipped);
        assert!(known >= least && unknown == 0, "{file}: {:?}", report.dialects);
    }
}
