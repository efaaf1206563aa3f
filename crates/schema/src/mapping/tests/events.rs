//! Whole events as ECS documents: what Elastic's pipelines would have made of them.

use super::{builtin, windows_event};
use crate::{BatchBuilder, Origin, RawField, Shape, Taxonomy};

const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";
const SYSMON_PROVIDER: &str = "Microsoft-Windows-Sysmon";
const AUDITING: &str = "Microsoft-Windows-Security-Auditing";

fn ecs(channel: &str, provider: &str, id: &str, fields: &[(&str, &str)]) -> String {
    let batch = windows_event(channel, provider, id, fields);
    let document = builtin().normalise(&batch.event(0), Taxonomy::Ecs);
    let indices = builtin().indices(batch.shape()).join(" ");
    format!("{indices}\n{}", serde_json::to_string_pretty(&document.to_json()).unwrap())
}

#[test]
fn sysmon_1_process_creation() {
    insta::assert_snapshot!(ecs(
        SYSMON,
        SYSMON_PROVIDER,
        "1",
        &[
            ("EventData.RuleName", "-"),
            ("EventData.UtcTime", "2026-03-01 09:29:59.998"),
            ("EventData.ProcessGuid", "{11111111-2222-3333-4444-555555555555}"),
            ("EventData.ProcessId", "4321"),
            ("EventData.Image", r"C:\Windows\System32\bitsadmin.exe"),
            ("EventData.FileVersion", "7.8.19041.1"),
            ("EventData.Description", "BITS administration utility"),
            ("EventData.Product", "Example Product"),
            ("EventData.Company", "Example Corporation"),
            ("EventData.OriginalFileName", "bitsadmin.exe"),
            (
                "EventData.CommandLine",
                r#"bitsadmin  /transfer "my job" https://files.example/a.bin "C:\Users\Public\a \"b\".bin""#
            ),
            ("EventData.CurrentDirectory", r"C:\Users\ada\"),
            ("EventData.User", r"CORP\ada"),
            ("EventData.LogonGuid", "{00000000-0000-0000-0000-000000000000}"),
            ("EventData.LogonId", "0x1f2e3"),
            ("EventData.IntegrityLevel", "Medium"),
            (
                "EventData.Hashes",
                "MD5=0123456789ABCDEF0123456789ABCDEF,SHA256=AAAA,IMPHASH=00000000000000000000000000000000"
            ),
            ("EventData.ParentProcessGuid", "{11111111-2222-3333-4444-666666666666}"),
            ("EventData.ParentProcessId", "1234"),
            ("EventData.ParentImage", r"C:\Windows\System32\cmd.exe"),
            ("EventData.ParentCommandLine", r#""C:\Windows\System32\cmd.exe" /c job.bat"#),
        ]
    ));
}

#[test]
fn sysmon_3_network_connection() {
    insta::assert_snapshot!(ecs(
        SYSMON,
        SYSMON_PROVIDER,
        "3",
        &[
            ("EventData.ProcessGuid", "{11111111-2222-3333-4444-555555555555}"),
            ("EventData.ProcessId", "4321"),
            ("EventData.Image", r"C:\Tools\agent.exe"),
            ("EventData.User", r"NT AUTHORITY\SYSTEM"),
            ("EventData.Protocol", "tcp"),
            ("EventData.Initiated", "true"),
            ("EventData.SourceIsIpv6", "false"),
            ("EventData.SourceIp", "192.0.2.10"),
            ("EventData.SourceHostname", "ws01.corp.example"),
            ("EventData.SourcePort", "50123"),
            ("EventData.DestinationIsIpv6", "false"),
            ("EventData.DestinationIp", "198.51.100.7"),
            ("EventData.DestinationHostname", "-"),
            ("EventData.DestinationPort", "443"),
            ("EventData.DestinationPortName", "https"),
        ]
    ));
}

#[test]
fn sysmon_7_image_loaded() {
    insta::assert_snapshot!(ecs(
        SYSMON,
        SYSMON_PROVIDER,
        "7",
        &[
            ("EventData.ProcessId", "4321"),
            ("EventData.Image", r"C:\Tools\agent.exe"),
            ("EventData.ImageLoaded", r"C:\Users\Public\plugin.dll"),
            ("EventData.OriginalFileName", "plugin.dll"),
            ("EventData.Company", "Example Corporation"),
            ("EventData.Hashes", "SHA1=BEEF,IMPHASH=CAFE"),
            ("EventData.Signed", "true"),
            ("EventData.Signature", "Example Corporation"),
            ("EventData.SignatureStatus", "Valid"),
        ]
    ));
}

#[test]
fn sysmon_11_file_created() {
    insta::assert_snapshot!(ecs(
        SYSMON,
        SYSMON_PROVIDER,
        "11",
        &[
            ("EventData.Image", r"C:\Tools\agent.exe"),
            ("EventData.TargetFilename", r"C:\Users\ada\Downloads\report.v2.docm"),
            ("EventData.CreationUtcTime", "2026-03-01 09:29:59.900"),
        ]
    ));
}

#[test]
fn sysmon_13_registry_value_set() {
    insta::assert_snapshot!(ecs(
        SYSMON,
        SYSMON_PROVIDER,
        "13",
        &[
            ("EventData.EventType", "SetValue"),
            ("EventData.Image", r"C:\Windows\regedit.exe"),
            ("EventData.TargetObject", r"HKLM\SOFTWARE\Example\Policies\EnableThing"),
            ("EventData.Details", "DWORD (0x0000001f)"),
        ]
    ));
}

#[test]
fn sysmon_22_dns_query() {
    insta::assert_snapshot!(ecs(
        SYSMON,
        SYSMON_PROVIDER,
        "22",
        &[
            ("EventData.Image", r"C:\Tools\agent.exe"),
            ("EventData.QueryName", "cdn.files.example.co.uk"),
            ("EventData.QueryStatus", "0"),
            ("EventData.QueryResults", "type:  5 edge.example.net;::ffff:198.51.100.7;2001:db8::1;"),
        ]
    ));
}

#[test]
fn security_4688_process_creation() {
    insta::assert_snapshot!(ecs(
        "Security",
        AUDITING,
        "4688",
        &[
            ("Level", "0"),
            ("Task", "13312"),
            ("Keywords", "0x8020000000000000"),
            ("EventData.SubjectUserSid", "S-1-5-21-1-2-3-1001"),
            ("EventData.SubjectUserName", "ada"),
            ("EventData.SubjectDomainName", "CORP"),
            ("EventData.SubjectLogonId", "0x1f2e3"),
            ("EventData.NewProcessId", "0x1a2c"),
            ("EventData.NewProcessName", r"C:\Windows\System32\whoami.exe"),
            ("EventData.TokenElevationType", "%%1936"),
            ("EventData.ProcessId", "0x4d2"),
            ("EventData.CommandLine", r#""C:\Windows\System32\whoami.exe"  /all "#),
            ("EventData.TargetUserSid", "S-1-0-0"),
            ("EventData.TargetUserName", "-"),
            ("EventData.TargetDomainName", "-"),
            ("EventData.TargetLogonId", "0x0"),
            ("EventData.ParentProcessName", r"C:\Windows\System32\cmd.exe"),
            ("EventData.MandatoryLabel", "S-1-16-8192"),
        ]
    ));
}

#[test]
fn security_4624_logon() {
    insta::assert_snapshot!(ecs(
        "Security",
        AUDITING,
        "4624",
        &[
            ("Task", "12544"),
            ("Keywords", "0x8020000000000000"),
            ("EventData.SubjectUserSid", "S-1-5-18"),
            ("EventData.SubjectUserName", "DC01$"),
            ("EventData.SubjectLogonId", "0x3e7"),
            ("EventData.TargetUserSid", "S-1-5-21-1-2-3-1001"),
            ("EventData.TargetUserName", "ada@corp.example"),
            ("EventData.TargetDomainName", "CORP"),
            ("EventData.TargetLogonId", "0x1f2e3"),
            ("EventData.LogonType", "3"),
            ("EventData.WorkstationName", "WS02"),
            ("EventData.ProcessId", "0x0"),
            ("EventData.ProcessName", "-"),
            ("EventData.IpAddress", "::ffff:192.0.2.44"),
            ("EventData.IpPort", "50123"),
        ]
    ));
}

/// Winlogbeat before version 7 shipped keywords and task as Windows renders them, and not the numbers.
#[test]
fn rendered_keywords_and_tasks_stand_in_for_the_numbers() {
    let shape =
        Shape::new([("dialect", "windows"), ("channel", "Security"), ("provider", AUDITING), ("event_id", "4625")]);
    let mut builder = BatchBuilder::new(shape, Origin::new("test"));
    let fields = [
        ("EventID", RawField::Text("4625")),
        ("Shipper.keywords", RawField::Json(r#"["Audit Failure"]"#)),
        ("Shipper.task", RawField::Text("Logon")),
    ];
    builder.push(0, 1, None, fields);
    let event = builder.finish().unwrap().event(0);
    let value = |field: &str| builtin().value(&event, Taxonomy::Ecs, field).to_string();
    assert_eq!(value("event.outcome"), "failure");
    assert_eq!(value("winlog.keywords"), r#"["Audit Failure"]"#);
    assert_eq!(value("winlog.task"), "Logon");
    assert_eq!(value("event.action"), "logon-failed");
}

#[test]
fn security_4657_registry_value_modified() {
    insta::assert_snapshot!(ecs(
        "Security",
        AUDITING,
        "4657",
        &[
            ("Task", "12801"),
            ("Keywords", "0x8020000000000000"),
            ("EventData.SubjectUserName", "ada"),
            ("EventData.ObjectName", r"\REGISTRY\MACHINE\SOFTWARE\Example"),
            ("EventData.ObjectValueName", "EnableThing"),
            ("EventData.NewValue", "1"),
            ("EventData.ProcessId", "0x4d2"),
            ("EventData.ProcessName", r"C:\Windows\regedit.exe"),
        ]
    ));
}

#[test]
fn security_5145_share_access() {
    insta::assert_snapshot!(ecs(
        "Security",
        AUDITING,
        "5145",
        &[
            ("Task", "12811"),
            ("Keywords", "0x8010000000000000"),
            ("EventData.SubjectUserSid", "S-1-5-21-1-2-3-1001"),
            ("EventData.SubjectUserName", "ada"),
            ("EventData.SubjectDomainName", "CORP"),
            ("EventData.IpAddress", "192.0.2.44"),
            ("EventData.IpPort", "50123"),
            ("EventData.ShareName", r"\\*\Public"),
            ("EventData.ShareLocalPath", r"\??\D:\Shares\Public"),
            ("EventData.RelativeTargetName", r"tools\run.exe"),
            ("EventData.AccessMask", "0x120089"),
        ]
    ));
}

#[test]
fn powershell_4104_script_block() {
    insta::assert_snapshot!(ecs(
        "Microsoft-Windows-PowerShell/Operational",
        "Microsoft-Windows-PowerShell",
        "4104",
        &[
            ("EventData.MessageNumber", "1"),
            ("EventData.MessageTotal", "2"),
            ("EventData.ScriptBlockText", "abab\n# SIG # Begin signature block\nxyz"),
            ("EventData.ScriptBlockId", "00000000-1111-2222-3333-444444444444"),
            ("EventData.Path", r"C:\Scripts\job.ps1"),
        ]
    ));
}

#[test]
fn powershell_4103_pipeline_execution() {
    insta::assert_snapshot!(ecs(
        "Microsoft-Windows-PowerShell/Operational",
        "Microsoft-Windows-PowerShell",
        "4103",
        &[
            (
                "EventData.ContextInfo",
                "        Severity = Informational\r\n        Host Name = ConsoleHost\r\n        Host ID = \
                 0aa0aa00-1111-2222-3333-444444444444\r\n        Host Application = powershell.exe -File \
                 C:\\Scripts\\job.ps1\r\n        Engine Version = 5.1\r\n        Command Name = Get-Thing\r\n        \
                 Command Type = Cmdlet\r\n        Script Name = C:\\Scripts\\job.ps1\r\n        Sequence Number = \
                 16\r\n        User = CORP\\ada\r\n        Connected User = \r\n"
            ),
            (
                "EventData.Payload",
                "CommandInvocation(Get-Thing): \"Get-Thing\"\r\nParameterBinding(Get-Thing): name=\"Path\"; \
                 value=\"C:\\Data\"\r\n"
            ),
        ]
    ));
}

#[test]
fn powershell_400_engine_started() {
    insta::assert_snapshot!(ecs(
        "Windows PowerShell",
        "PowerShell",
        "400",
        &[
            ("EventData.param1", "Available"),
            ("EventData.param2", "None"),
            (
                "EventData.param3",
                "\tNewEngineState=Available\r\n\tPreviousEngineState=None\r\n\r\n\tSequenceNumber=13\r\n\r\n\
                 \tHostName=ConsoleHost\r\n\tHostId=0aa0aa00-1111-2222-3333-444444444444\r\n\tHostApplication=powershell \
                 -c first\nsecond = line\r\n\tEngineVersion=5.1\r\n\tRunspaceId=\r\n\tPipelineId="
            ),
        ]
    ));
}

#[test]
fn powershell_800_of_a_shipper_that_keeps_the_message_only() {
    insta::assert_snapshot!(ecs(
        "Windows PowerShell",
        "PowerShell",
        "800",
        &[(
            "Message",
            "Pipeline execution details for command line: Get-Thing. \r\n\r\nContext Information: \r\n\tDetailSequence=1\
             \r\n\tDetailTotal=1\r\n\r\n\tSequenceNumber=15\r\n\r\n\tUserId=CORP\\ada\r\n\tHostName=ConsoleHost\
             \r\n\tHostApplication=powershell.exe\r\n\tCommandLine=Get-Thing -Path C:\\Data\r\n\r\n\
             Details: \r\nCommandInvocation(Get-Thing): \"Get-Thing\"\r\n"
        )]
    ));
}

#[test]
fn system_7045_service_installed() {
    insta::assert_snapshot!(ecs(
        "System",
        "Service Control Manager",
        "7045",
        &[
            ("EventData.ServiceName", "Example Updater"),
            ("EventData.ImagePath", r"C:\Tools\updater.exe -service"),
            ("EventData.ServiceType", "user mode service"),
            ("EventData.StartType", "auto start"),
            ("EventData.AccountName", "LocalSystem"),
        ]
    ));
}

#[test]
fn a_channel_without_a_pack_of_its_own() {
    insta::assert_snapshot!(ecs(
        "Microsoft-Windows-Bits-Client/Operational",
        "Microsoft-Windows-Bits-Client",
        "59",
        &[("EventData.url", "https://files.example/a.bin"), ("EventData.name", "my job"), ("UserData.Code", "0")]
    ));
}
