//! Lines of network devices, from their text to what rules of each vendor see. The lines are made up in the shape that the
//! vendors document.

mod support;

use support::{one, read, see};

#[test]
fn an_asa_builds_and_tears_down_connections() {
    let built = "<166>Mar 01 2026 10:00:00 fw1 : %ASA-6-302013: Built outbound TCP connection 1177 for outside:198.51.100.7/443 (198.51.100.7/443) to inside:10.0.0.5/50000 (203.0.113.1/50000) (CORP\\ada)\n";
    one(
        built,
        &[
            ("index", "logs-cisco_asa.log-default"),
            ("logsource", "firewall//"),
            ("logsource", "/cisco/asa"),
            ("shape:message_id", "302013"),
            ("raw:host", "fw1"),
            ("ecs:@timestamp", "2026-03-01T10:00:00Z"),
            ("ecs:data_stream.dataset", "cisco_asa.log"),
            ("ecs:event.action", "flow-creation"),
            ("ecs:event.category", "[\"network\"]"),
            ("ecs:event.code", "302013"),
            ("ecs:source.ip", "10.0.0.5"),
            ("ecs:source.port", "50000"),
            ("ecs:destination.ip", "198.51.100.7"),
            ("ecs:destination.port", "443"),
            ("ecs:network.direction", "outbound"),
            ("ecs:network.transport", "tcp"),
            ("ecs:observer.egress.interface.name", "outside"),
            ("cim:sourcetype", "cisco:asa"),
            ("cim:_datamodels", "[\"Network_Traffic\"]"),
            ("cim:action", "allowed"),
            ("cim:src", "10.0.0.5"),
            ("cim:dest", "198.51.100.7"),
            ("cim:dest_port", "443"),
            ("cim:session_id", "1177"),
            ("cim:user", "CORP\\ada"),
            ("cim:dvc", "fw1"),
            ("sigma:dst_ip", "198.51.100.7"),
        ],
    );
    let inbound = built.replace("outbound", "inbound");
    one(&inbound, &[("cim:src", "198.51.100.7"), ("cim:dest", "10.0.0.5"), ("cim:src_interface", "outside")]);
    one(
        "Mar  1 10:00:00 fw1 %ASA-6-302014: Teardown TCP connection 1177 for outside:2001:db8::7/443 to inside:2001:db8:1::5/50000 duration 0:00:30 bytes 5120 TCP FINs\n",
        &[
            ("cim:action", "teardown"),
            ("cim:src", "2001:db8::7"),
            ("cim:dest", "2001:db8:1::5"),
            ("cim:bytes", "5120"),
            ("cim:duration", "0:00:30"),
            ("ecs:event.action", "flow-expiration"),
            ("ecs:event.reason", "TCP FINs"),
            ("ecs:network.bytes", "5120"),
        ],
    );
}

#[test]
fn an_asa_denies() {
    let seen = &[
        ("cim:_datamodels", "[\"Network_Traffic\"]"),
        ("cim:action", "blocked"),
        ("cim:src_ip", "198.51.100.7"),
        ("cim:dest_ip", "10.0.0.5"),
        ("ecs:source.ip", "198.51.100.7"),
        ("ecs:destination.ip", "10.0.0.5"),
        ("ecs:event.type", "[\"connection\",\"denied\"]"),
    ];
    for (message, transport, port) in [
        (
            "%ASA-4-106023: Deny tcp src outside:198.51.100.7/1234 dst inside:10.0.0.5/22 by access-group \"out\" [0x0, 0x0]",
            "tcp",
            "22",
        ),
        (
            "%ASA-2-106001: Inbound TCP connection denied from 198.51.100.7/1234 to 10.0.0.5/22 flags SYN on interface outside",
            "tcp",
            "22",
        ),
        ("%ASA-2-106006: Deny inbound UDP from 198.51.100.7/53 to 10.0.0.5/5353 on interface outside", "udp", "5353"),
        (
            "%ASA-6-106015: Deny TCP (no connection) from 198.51.100.7/443 to 10.0.0.5/50000 flags RST on interface outside",
            "tcp",
            "50000",
        ),
        (
            "%ASA-6-106100: access-list out denied tcp outside/198.51.100.7(1234) -> inside/10.0.0.5(22) hit-cnt 1 first hit [0x1, 0x0]",
            "tcp",
            "22",
        ),
        (
            "%FTD-4-106023: Deny icmp src outside:198.51.100.7 dst inside:10.0.0.5 (type 8, code 0) by access-group \"out\" [0x0, 0x0]",
            "icmp",
            "null",
        ),
    ] {
        let text = format!("<164>Mar 01 2026 10:00:00 fw1 : {message}\n");
        one(&text, seen);
        one(&text, &[("cim:transport", transport), ("cim:dest_port", port)]);
    }
    one(
        "Mar 01 2026 10:00:00: %ASA-6-106100: access-list in permitted udp inside/10.0.0.5(5353) -> outside/198.51.100.7(53) hit-cnt 1 first hit [0x1, 0x0]\n",
        &[("cim:action", "allowed"), ("cim:rule", "in"), ("ecs:event.type", "[\"connection\",\"allowed\"]")],
    );
}

#[test]
fn an_asa_tells_logins_commands_pages_and_attacks() {
    let line = |message: &str| format!("<166>Mar 01 2026 10:00:00 fw1 : {message}\n");
    one(
        &line("%ASA-6-605004: Login denied from 198.51.100.7/50000 to outside:203.0.113.1/ssh for user \"ada\""),
        &[
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("cim:action", "failure"),
            ("cim:user", "ada"),
            ("cim:src", "198.51.100.7"),
            ("cim:app", "ssh"),
            ("cim:dest", "fw1"),
            ("ecs:event.category", "[\"authentication\",\"network\"]"),
            ("ecs:event.outcome", "failure"),
        ],
    );
    one(
        &line(
            "%ASA-6-113015: AAA user authentication Rejected : reason = Invalid password : local database : user = ada : user IP = 198.51.100.7",
        ),
        &[("cim:user", "ada"), ("cim:src_ip", "198.51.100.7"), ("cim:reason", "Invalid password")],
    );
    one(
        &line("%ASA-6-113039: Group <VPN> User <ada> IP <198.51.100.7> AnyConnect parent session started."),
        &[("cim:action", "success"), ("cim:app", "vpn"), ("cim:user", "ada"), ("ecs:source.user.group.name", "VPN")],
    );
    one(
        &line("%ASA-5-111010: User 'ada', running 'CLI' from IP 10.0.0.9, executed 'no logging enable'"),
        &[
            ("cim:_datamodels", "[\"Change\"]"),
            ("cim:command", "no logging enable"),
            ("cim:user", "ada"),
            ("cim:src", "10.0.0.9"),
            ("ecs:event.action", "command-executed"),
        ],
    );
    one(
        &line("%ASA-5-502101: New user added to local dbase: Uname: eve Priv: 15 Encpass: *"),
        &[("cim:action", "created"), ("cim:object", "eve"), ("cim:object_category", "user")],
    );
    one(
        &line("%ASA-5-304001: 10.0.0.5 Accessed URL 198.51.100.7:http://evil.example/a.exe"),
        &[
            ("cim:_datamodels", "[\"Web\"]"),
            ("cim:url", "http://evil.example/a.exe"),
            ("cim:url_domain", "evil.example"),
        ],
    );
    one(
        &line("%ASA-4-400024: IDS:2151 Large ICMP packet from 198.51.100.7 to 10.0.0.5 on interface outside"),
        &[
            ("cim:_datamodels", "[\"Intrusion_Detection\"]"),
            ("cim:signature", "Large ICMP packet"),
            ("cim:signature_id", "2151"),
            ("ecs:event.kind", "alert"),
            ("ecs:rule.name", "Large ICMP packet"),
        ],
    );
    one(
        &line(
            "%FTD-1-430001: DeviceUUID: 1, SrcIP: 198.51.100.7, DstIP: 10.0.0.5, SrcPort: 50000, DstPort: 80, Protocol: tcp, Priority: 1, GID: 1, SID: 58724, Revision: 6, Message: \"SERVER-WEBAPP odd request\", Classification: Web Application Attack, User: No Authentication Required",
        ),
        &[
            ("index", "logs-cisco_ftd.log-default"),
            ("ecs:data_stream.dataset", "cisco_ftd.log"),
            ("ecs:message", "SERVER-WEBAPP odd request"),
            ("cim:signature", "SERVER-WEBAPP odd request"),
            ("cim:dest_port", "80"),
        ],
    );
}

#[test]
fn ios_says_what_it_does() {
    one(
        "<189>45: r1: *Mar  1 10:00:00.123 UTC: %SEC_LOGIN-5-LOGIN_SUCCESS: Login Success [user: ada] [Source: 10.0.0.9] [localport: 22] at 10:00:00 UTC Sun Mar 1 2026\n",
        &[
            ("index", "logs-cisco_ios.log-default"),
            ("logsource", "/cisco/syslog"),
            ("raw:host", "r1"),
            ("shape:facility", "SEC_LOGIN"),
            ("cim:sourcetype", "cisco:ios"),
            ("cim:eventtype", "[\"cisco_ios\"]"),
            ("cim:facility", "SEC_LOGIN"),
            ("cim:mnemonic", "LOGIN_SUCCESS"),
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("cim:action", "success"),
            ("cim:user", "ada"),
            ("cim:src", "10.0.0.9"),
            ("ecs:event.outcome", "success"),
            ("ecs:source.ip", "10.0.0.9"),
        ],
    );
    one(
        "Mar  1 10:00:00 sw1 77: Mar  1 2026 10:00:00: %PORT_SECURITY-2-PSECURE_VIOLATION: Security violation occurred, caused by MAC address 0011.2233.4455 on port GigabitEthernet1/0/7.\n",
        &[
            ("cim:facility", "PORT_SECURITY"),
            ("cim:mnemonic", "PSECURE_VIOLATION"),
            ("cim:src_mac", "0011.2233.4455"),
            ("cim:src_int_prefix_long", "GigabitEthernet"),
            ("cim:src_int_suffix", "1/0/7"),
            ("cim:host", "sw1"),
        ],
    );
    one(
        "Mar  1 10:00:00 r1 78: %SEC-6-IPACCESSLOGP: list 101 denied tcp 198.51.100.7(50000) -> 10.0.0.5(22), 1 packet\n",
        &[
            ("cim:_datamodels", "[\"Network_Traffic\"]"),
            ("cim:action", "blocked"),
            ("cim:src", "198.51.100.7"),
            ("cim:dest", "10.0.0.5"),
            ("cim:dest_port", "22"),
            ("cim:transport", "tcp"),
            ("ecs:destination.port", "22"),
        ],
    );
    one(
        "Mar  1 10:00:00 r1 79: %SYS-5-CONFIG_I: Configured from console by ada on vty0 (10.0.0.9)\n",
        &[("cim:_datamodels", "[\"Change\"]"), ("cim:user", "ada"), ("cim:src", "10.0.0.9")],
    );
}

#[test]
fn fortigate_logs_traffic_threats_and_itself() {
    let head =
        "<189>date=2026-03-01 time=11:00:00 devname=\"fg1\" devid=\"FG1\" eventtime=1772359200000000000 tz=\"+0100\"";
    one(
        &format!(
            "{head} logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" srcip=10.0.0.5 srcport=50000 srcintf=\"lan\" dstip=198.51.100.7 dstport=443 dstintf=\"wan1\" sessionid=99 proto=6 action=\"close\" policyid=3 policyname=\"out\" service=\"HTTPS\" trandisp=\"snat\" transip=203.0.113.1 transport=50000 app=\"SSL\" duration=30 sentbyte=100 rcvdbyte=2000 sentpkt=5 rcvdpkt=9\n"
        ),
        &[
            ("index", "logs-fortinet_fortigate.log-default"),
            ("logsource", "firewall//"),
            ("logsource", "/fortigate/traffic"),
            ("ecs:@timestamp", "2026-03-01T10:00:00Z"),
            ("ecs:data_stream.dataset", "fortinet_fortigate.log"),
            ("ecs:event.action", "close"),
            ("ecs:event.code", "0000000013"),
            ("ecs:event.type", "[\"connection\",\"end\",\"protocol\",\"allowed\"]"),
            ("ecs:source.bytes", "100"),
            ("ecs:destination.port", "443"),
            ("ecs:network.protocol", "https"),
            ("ecs:observer.name", "fg1"),
            ("ecs:fortinet.firewall.policyid", "3"),
            ("cim:sourcetype", "fgt_traffic"),
            ("cim:_sourcetype_names", "[\"fortigate_traffic\"]"),
            ("cim:_datamodels", "[\"Network_Traffic\"]"),
            ("cim:action", "allowed"),
            ("cim:transport", "tcp"),
            ("cim:bytes_in", "2000"),
            ("cim:src_translated_port", "50000"),
            ("cim:rule", "out"),
            ("sigma:dst_port", "443"),
        ],
    );
    one(
        &format!(
            "{head} logid=\"0419016384\" type=\"utm\" subtype=\"ips\" level=\"alert\" severity=\"critical\" srcip=198.51.100.7 dstip=10.0.0.5 srcport=1 dstport=80 proto=6 action=\"dropped\" attack=\"Odd.Request\" attackid=1000 msg=\"web: Odd.Request\"\n"
        ),
        &[
            ("cim:_datamodels", "[\"Intrusion_Detection\"]"),
            ("cim:signature", "Odd.Request"),
            ("cim:action", "blocked"),
            ("cim:severity", "critical"),
            ("ecs:message", "web: Odd.Request"),
        ],
    );
    one(
        &format!(
            "{head} logid=\"0317013312\" type=\"utm\" subtype=\"webfilter\" srcip=10.0.0.5 dstip=198.51.100.7 service=\"HTTPS\" hostname=\"evil.example\" url=\"/a?b=c\" action=\"blocked\" agent=\"curl/8\"\n"
        ),
        &[
            ("cim:_datamodels", "[\"Web\"]"),
            ("cim:url", "https://evil.example/a?b=c"),
            ("cim:http_user_agent", "curl/8"),
            ("cim:action", "blocked"),
            ("logsource", "proxy//"),
            ("sigma:cs-host", "evil.example"),
            ("ecs:event.type", "[\"denied\"]"),
        ],
    );
    one(
        &format!(
            "{head} logid=\"0100032001\" type=\"event\" subtype=\"system\" level=\"information\" logdesc=\"Admin login successful\" user=\"ada\" ui=\"ssh(10.0.0.9)\" method=\"ssh\" srcip=10.0.0.9 action=\"login\" status=\"success\" reason=\"none\" profile=\"super_admin\" msg=\"Administrator ada logged in successfully from ssh(10.0.0.9)\"\n"
        ),
        &[
            ("ecs:event.category", "[\"authentication\"]"),
            ("ecs:event.action", "login"),
            ("ecs:event.outcome", "success"),
            ("ecs:source.user.name", "ada"),
            ("ecs:source.user.roles", "[\"Administrator\"]"),
            ("ecs:source.ip", "10.0.0.9"),
            ("ecs:fortinet.firewall.method", "ssh"),
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("cim:action", "success"),
            ("cim:src", "10.0.0.9"),
        ],
    );
    one(
        &format!(
            "{head} logid=\"0100044547\" type=\"event\" subtype=\"system\" logdesc=\"Object attribute configured\" user=\"ada\" ui=\"GUI(10.0.0.9)\" action=\"Add\" cfgpath=\"system.admin\" cfgobj=\"eve\" cfgattr=\"accprofile[super_admin]\" msg=\"Add system.admin eve\"\n"
        ),
        &[
            ("logsource", "/fortigate/event"),
            ("sigma:cfgpath", "system.admin"),
            ("ecs:event.code", "0100044547"),
            ("ecs:fortinet.firewall.action", "Add"),
            ("cim:_datamodels", "[\"Change\"]"),
            ("cim:action", "created"),
            ("cim:object", "eve"),
            ("cim:src", "10.0.0.9"),
        ],
    );
}

#[test]
fn panos_logs_have_columns_by_their_type() {
    let traffic = "1,2026/03/01 10:00:01,0011C1,TRAFFIC,end,2305,2026/03/01 10:00:00,10.0.0.5,198.51.100.7,203.0.113.1,198.51.100.7,\"out, all\",corp\\ada,,web-browsing,vsys1,trust,untrust,ethernet1/2,ethernet1/1,fwd,2026/03/01 10:00:01,99,1,50000,80,50001,80,0x40001c,tcp,allow,7419,6609,810,25,2026/03/01 09:59:30,30,any,0,1,0x0,10.0.0.0-10.255.255.255,United States,0,14,11,tcp-fin,0,0,0,0,,pa1,from-policy";
    for header in ["", "<14>Mar  1 10:00:02 pa1 ", "<14>1 2026-03-01T10:00:02Z pa1 - - - - "] {
        one(
            &format!("{header}{traffic}\n"),
            &[
                ("index", "logs-panw.panos-default"),
                ("logsource", "firewall//"),
                ("shape:type", "TRAFFIC"),
                ("ecs:@timestamp", "2026-03-01T10:00:00Z"),
                ("ecs:data_stream.dataset", "panw.panos"),
                ("ecs:event.action", "flow_terminated"),
                ("ecs:event.type", "[\"allowed\",\"end\",\"connection\"]"),
                ("ecs:event.outcome", "success"),
                ("ecs:source.ip", "10.0.0.5"),
                ("ecs:source.nat.port", "50001"),
                ("ecs:destination.port", "80"),
                ("ecs:network.packets", "25"),
                ("ecs:user.name", "ada"),
                ("ecs:source.user.domain", "corp"),
                ("ecs:rule.name", "out, all"),
                ("cim:sourcetype", "pan:traffic"),
                ("cim:_datamodels", "[\"Network_Traffic\"]"),
                ("cim:action", "allowed"),
                ("cim:bytes_out", "6609"),
                ("cim:app", "web-browsing"),
                ("cim:dvc", "pa1"),
                ("cim:src_zone", "trust"),
                ("sigma:src_ip", "10.0.0.5"),
            ],
        );
    }
    let session = "10.0.0.5,198.51.100.7,0.0.0.0,0.0.0.0,out,,,web-browsing,vsys1,trust,untrust,ethernet1/2,ethernet1/1,fwd,2026/03/01 10:00:01,99,1,50000,80,0,0,0x0,tcp";
    let threat = |subtype: &str, rest: &str| {
        format!(
            "Mar  1 10:00:02 pa1 1,2026/03/01 10:00:01,0011C1,THREAT,{subtype},2305,2026/03/01 10:00:00,{session},{rest}\n"
        )
    };
    one(
        &threat(
            "vulnerability",
            "reset-both,\"a.exe\",Odd Request(91820),any,critical,client-to-server,1,0x0,DE,US,0,,0,,,0,,,,,,,,0,0,0,0,0,,pa1,,,,,0,,0,,N/A,code-execution,AppThreat-1",
        ),
        &[
            ("cim:_datamodels", "[\"Intrusion_Detection\"]"),
            ("cim:signature", "Odd Request"),
            ("cim:signature_id", "91820"),
            ("cim:severity", "critical"),
            ("cim:action", "blocked"),
            ("cim:category", "code-execution"),
            ("ecs:event.kind", "alert"),
            ("ecs:event.action", "exploit_detected"),
            ("ecs:event.severity", "1"),
            ("ecs:event.type", "[\"denied\"]"),
        ],
    );
    one(
        &threat(
            "url",
            "block-url,\"evil.example/a.php?b=c\",(9999),malware,informational,client-to-server,1,0x0,DE,US,0,text/html,0,,,1,\"Mozilla/5.0 (X11, Linux)\",,,\"http://ref.example/\",,,,0,0,0,0,0,,pa1,,,,get,0",
        ),
        &[
            ("cim:sourcetype", "pan:threat"),
            ("cim:_datamodels", "[\"Web\"]"),
            ("cim:url", "evil.example/a.php?b=c"),
            ("cim:url_domain", "evil.example"),
            ("cim:http_method", "GET"),
            ("cim:http_user_agent", "Mozilla/5.0 (X11, Linux)"),
            ("cim:category", "malware"),
            ("ecs:url.path", "/a.php"),
            ("ecs:url.query", "b=c"),
            ("logsource", "proxy//"),
            ("sigma:cs-method", "GET"),
        ],
    );
    one(
        "Mar  1 10:00:02 pa1 1,2026/03/01 10:00:01,0011C1,SYSTEM,auth,2305,2026/03/01 10:00:00,,auth-fail,AUTH,0,0,general,medium,\"failed authentication for user 'ada'. Reason: Invalid username/password. From: 10.0.0.9.\",1,0x0,0,0,0,0,,pa1\n",
        &[
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("cim:action", "failure"),
            ("cim:user", "ada"),
            ("ecs:event.outcome", "failure"),
            ("ecs:event.action", "auth-fail"),
        ],
    );
    one(
        "Mar  1 10:00:02 pa1 1,2026/03/01 10:00:01,0011C1,GLOBALPROTECT,0,2561,2026/03/01 10:00:00,vsys1,gateway-auth,login,LDAP,,corp\\ada,DE,ws1,198.51.100.7,0.0.0.0,0.0.0.0,0.0.0.0,h1,s1,6.1,Windows,\"Windows 11, 64-bit\",1,,,,success,,0,,0,gp\n",
        &[
            ("logsource", "appliance/paloalto/globalprotect"),
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("cim:action", "success"),
            ("cim:src", "198.51.100.7"),
            ("cim:user", "corp\\ada"),
            ("cim:src_host", "ws1"),
            ("ecs:source.ip", "198.51.100.7"),
            ("ecs:event.outcome", "success"),
        ],
    );
    one(
        "Mar  1 10:00:02 pa1 1,2026/03/01 10:00:01,0011C1,CONFIG,0,2561,2026/03/01 10:00:00,10.0.0.9,,set,ada,Web,Succeeded, mgt-config users eve,1,0x0,0,0,0,0,,pa1\n",
        &[
            ("cim:_datamodels", "[\"Change\"]"),
            ("cim:user", "ada"),
            ("cim:src", "10.0.0.9"),
            ("cim:action", "created"),
            ("cim:dvc", "pa1"),
            ("ecs:event.category", "[\"configuration\"]"),
        ],
    );
}

#[test]
fn devices_may_share_a_file_with_hosts_and_damage() {
    let text = "Mar  1 10:00:00 fw1 : %ASA-6-302014: Teardown\nMar  1 10:00:01 web1 sshd[1]: hello\n\u{fffd}\u{fffd} broken\n\
                Mar  1 10:00:02 pa1 1,2026/03/01 10:00:01,0011C1,TRAFFIC\nMar  1 10:00:03 fw date=2026-03-01 time=10:00:03 type= logid=\n";
    let (events, report) = read(text);
    let dialects: Vec<&str> = events.iter().map(|event| event.shape.dialect()).collect();
    assert_eq!(dialects, ["cisco_asa", "syslog", "syslog", "fortigate"]);
    assert_eq!(report.errors(), 0, "{:?}", report.problems);
    see(&events[0], &[("cim:action", "teardown"), ("cim:src", "null")]);
}
