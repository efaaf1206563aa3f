//! The shippers that people run, where this machine has them: rsyslog, syslog-ng, kcat, Fluent Bit from the
//! distribution; Elasticsearch's clients for Python and JavaScript and what logs through them; OpenTelemetry's for Python;
//! collectors of Splunk's for Python and JavaScript. A test whose tool is absent says so by name. Packages of npm are
//! found where node looks for them (`NODE_PATH`).

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use lurcher_ingest::{BodyLimits, hec, kafka, otlp::grpc, syslog::stream};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::server::{KEY, Server};

/// Kills the shipper when the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this command says yes; else the test is skipped, by name.
fn available(test: &str, program: &str, arguments: &[&str]) -> bool {
    let tried = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = tried.is_ok_and(|status| status.success());
    if !there {
        eprintln!("skipped: {test}: `{program} {}` does not run here", arguments.join(" "));
    }
    there
}

fn run(program: &str, arguments: &[&str]) -> Running {
    let child = Command::new(program).args(arguments).stdin(Stdio::null()).spawn();
    Running(child.unwrap())
}

/// Runs to the end, away from the runtime's thread.
async fn finish(program: &str, arguments: Vec<String>) {
    let program = program.to_owned();
    let output = tokio::task::spawn_blocking(move || Command::new(program).args(arguments).output().unwrap());
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn source(body: &str) -> Value {
    serde_json::from_str::<Value>(body).unwrap()["_source"].take()
}

async fn syslog(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = stream::Options::default();
    tokio::spawn(stream::serve(listener, options, server.reception(), server.stop_receiver()));
    address
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_for_python() {
    if !available("elasticsearch_for_python", "python3", &["-c", "import elasticsearch"]) {
        return;
    }
    let server = Server::new();
    let address = server.http(BodyLimits::default(), hec::Options::default()).await;
    let script = format!(
        r#"
from elasticsearch import Elasticsearch, helpers
es = Elasticsearch("http://{address}", api_key=("id", "{KEY}"), http_compress=True)
assert es.info()["version"]["number"].startswith("8.")
assert es.ping()
assert es.license.get()["license"]["status"] == "active"
assert not es.indices.exists_index_template(name="t")
es.indices.put_index_template(name="t", index_patterns=["logs-*"], data_stream={{}})
assert es.indices.exists_index_template(name="t")
es.ilm.put_lifecycle(name="p", policy={{"phases": {{}}}})
es.indices.create_data_stream(name="logs-py-default")
taken, failed = helpers.bulk(es, ({{"_op_type": "create", "_index": "logs-py-default", "n": n}} for n in range(1200)), refresh=True)
assert (taken, failed) == (1200, []), (taken, failed)
taken, failed = helpers.bulk(es, [{{"_op_type": "delete", "_index": "logs-py-default", "_id": "1"}}, {{"_index": "x", "a": 1}}], raise_on_error=False)
assert taken == 1 and failed[0]["delete"]["status"] == 400, failed
assert es.index(index="x", document={{"b": 2}})["result"] == "created"
"#
    );
    finish("python3", vec!["-c".to_owned(), script]).await;
    let bodies = server.bodies();
    assert_eq!(bodies.len(), 1202);
    assert_eq!((source(&bodies[1199])["n"].as_i64(), source(&bodies[1201])["b"].as_i64()), (Some(1199), Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_for_javascript() {
    if !available("elasticsearch_for_javascript", "node", &["-e", "require('@elastic/elasticsearch')"]) {
        return;
    }
    let server = Server::new();
    let address = server.http(BodyLimits::default(), hec::Options::default()).await;
    let script = format!(
        r#"
const assert = require('assert');
const {{ Client }} = require('@elastic/elasticsearch');
const node = 'http://{address}';
(async () => {{
  const es = new Client({{ node, auth: {{ apiKey: {{ id: 'x', api_key: '{KEY}' }} }}, compression: true, sniffOnStart: true }});
  assert(await es.ping());
  await es.indices.create({{ index: 'js', mappings: {{ properties: {{ n: {{ type: 'long' }} }} }} }});
  assert(await es.indices.exists({{ index: 'js' }}));
  async function* documents() {{ for (let n = 0; n < 1200; n++) yield {{ n, message: 'm' }}; }}
  const bulk = (datasource, onDocument, onDrop) =>
    es.helpers.bulk({{ datasource, onDocument, onDrop, flushBytes: 8000, concurrency: 3, refreshOnCompletion: true, retries: 0 }});
  const all = await bulk(documents(), () => ({{ index: {{ _index: 'js' }} }}));
  assert.deepStrictEqual([all.total, all.successful, all.failed, all.aborted], [1200, 1200, 0, false]);
  const dropped = [];
  const none = await bulk([{{}}], () => ({{ delete: {{ _index: 'js', _id: '1' }} }}), (drop) => dropped.push(drop.status));
  assert.deepStrictEqual([none.failed, dropped], [1, [400]]);
  const wrong = new Client({{ node, auth: {{ username: 'u', password: 'wrong' }}, maxRetries: 0 }});
  await assert.rejects(wrong.index({{ index: 'js', document: {{ a: 1 }} }}), (error) => error.statusCode === 401);
}})().catch((error) => {{ console.error(error); process.exit(1); }});
"#
    );
    finish("node", vec!["-e".to_owned(), script]).await;
    let mut numbers: Vec<i64> = server.bodies().iter().map(|body| source(body)["n"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1200).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn loggers_of_javascript_over_elasticsearch() {
    let packages =
        "require('winston'); require('winston-elasticsearch'); require('pino'); require('pino-elasticsearch')";
    if !available("loggers_of_javascript_over_elasticsearch", "node", &["-e", packages]) {
        return;
    }
    let server = Server::new();
    let address = server.http(BodyLimits::default(), hec::Options::default()).await;
    let script = format!(
        r#"
const {{ ElasticsearchTransport }} = require('winston-elasticsearch');
const client = {{ node: 'http://{address}', auth: {{ username: 'u', password: '{KEY}' }} }};
const transport = new ElasticsearchTransport({{ clientOpts: client, dataStream: true, index: 'logs-winston-default', flushInterval: 100 }});
const winston = require('winston').createLogger({{ transports: [transport] }});
const stream = require('pino-elasticsearch')({{ ...client, index: 'logs-pino-default', esVersion: 8, opType: 'create', flushBytes: 1000 }});
const pino = require('pino')({{}}, stream);
for (const fault of [transport, stream]) fault.on('error', (error) => {{ console.error(error); process.exit(1); }});
stream.on('insertError', (error) => {{ console.error(error); process.exit(1); }});
for (let n = 0; n < 20; n++) {{ winston.info('hello', {{ n }}); pino.info({{ n }}, 'hello'); }}
stream.end();
setInterval(() => {{}}, 1000);
"#
    );
    let _running = run("node", &["-e", &script]);
    server.wait_for(40).await;
    let of = |stream: &str| server.taken().iter().filter(|record| record.1 == stream).count();
    assert_eq!((of("logs-winston-default"), of("logs-pino-default")), (20, 20));
}

/// Splunk's own library, which retries by itself and sends several events in one body.
#[tokio::test(flavor = "multi_thread")]
async fn splunk_logging_for_javascript() {
    if !available("splunk_logging_for_javascript", "node", &["-e", "require('splunk-logging')"]) {
        return;
    }
    let server = Server::new();
    let address = server.http(BodyLimits::default(), hec::Options::default()).await;
    let wrong = format!(
        r#"
const {{ Logger }} = require('splunk-logging');
const logger = new Logger({{ url: 'http://{address}', token: 'wrong' }});
logger.error = () => {{}};
logger.send({{ message: 'x' }}, (error, response, body) => process.exit(body.code === 4 ? 0 : 1));
"#
    );
    finish("node", vec!["-e".to_owned(), wrong]).await;
    // Its timer for what is left of a batch keeps it alive.
    let script = format!(
        r#"
const {{ Logger }} = require('splunk-logging');
const metadata = {{ source: 's', sourcetype: 'js', index: 'main', host: 'h' }};
const logger = new Logger({{ url: 'http://{address}', token: '{KEY}', maxBatchCount: 10, batchInterval: 100 }});
for (let n = 0; n < 25; n++) logger.send({{ message: {{ n }}, metadata, severity: 'info' }});
"#
    );
    let _running = run("node", &["-e", &script]);
    let bodies = server.wait_for(25).await;
    assert_eq!(bodies.len(), 25);
    let mut numbers = Vec::new();
    for body in &bodies {
        let event: Value = serde_json::from_str(body).unwrap();
        let raw: Value = serde_json::from_str(event["_raw"].as_str().unwrap()).unwrap();
        assert_eq!(event["host"], "h", "{event}");
        assert!(event["_time"].is_number() || event["_time"].is_string(), "{event}");
        numbers.push(raw["message"]["n"].as_i64().unwrap());
    }
    // Batches are requests of their own and may overtake one another.
    numbers.sort_unstable();
    assert_eq!(numbers, (0..25).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_of_python_over_hec() {
    let packages = "import splunk_hec, splunk_handler, splunk_hec_handler";
    if !available("collectors_of_python_over_hec", "python3", &["-c", packages]) {
        return;
    }
    let server = Server::new();
    let address = server.http(BodyLimits::default(), hec::Options::default()).await;
    let (host, port) = (address.ip(), address.port());
    let script = format!(
        r#"
import logging, requests
from splunk_hec import splunk_hec
for kind, event in [("json", {{"event": {{"a": 1}}, "sourcetype": "acknowledged"}}), ("raw", "a line")]:
    sender = splunk_hec("{KEY}", "{host}", {port}, input_type=kind, use_hec_tls=False, use_ack=True, ack_interval=1, max_events_per_batch=7)
    for _ in range(20):
        sender.send_event(event)
    sender.force_flush_events()
    assert not sender.current_batch_events
from splunk_handler import SplunkHandler, force_flush
logger = logging.getLogger("one")
logger.addHandler(SplunkHandler(host="{host}", port="{port}", token="{KEY}", index="main", sourcetype="handler", protocol="http", flush_interval=0.2))
for n in range(20):
    logger.warning("line %d", n)
force_flush()
from splunk_hec_handler import SplunkHecHandler
logger = logging.getLogger("two")
logger.addHandler(SplunkHecHandler("{host}", "{KEY}", port={port}, proto="http", sourcetype="other"))
logger.warning({{"a": 1, "fields": {{"color": "yellow"}}}})
try:
    SplunkHecHandler("{host}", "wrong", port={port}, proto="http").emit(logging.makeLogRecord({{"msg": "x"}}))
    raise SystemExit("a wrong token was taken")
except requests.exceptions.HTTPError as error:
    assert error.response.status_code == 403, error
"#
    );
    finish("python3", vec!["-c".to_owned(), script]).await;
    let bodies = server.wait_for(61).await;
    let of = |stream: &str| server.taken().iter().filter(|record| record.1 == stream).count();
    assert_eq!([of("acknowledged"), of("httpevent"), of("handler"), of("other")], [20, 20, 20, 1]);
    assert!(bodies.last().unwrap().contains("\"color\":\"yellow\""), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_for_python() {
    let packages = "import opentelemetry.exporter.otlp.proto.http, opentelemetry.exporter.otlp.proto.grpc";
    if !available("opentelemetry_for_python", "python3", &["-c", packages]) {
        return;
    }
    let server = Server::new();
    let address = server.http(BodyLimits::default(), hec::Options::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = listener.local_addr().unwrap();
    let (reception, stop) = (server.reception(), server.stop_receiver());
    tokio::spawn(async move { grpc::serve(listener, grpc::Options::default(), "x", reception, stop).await });
    let script = format!(
        r#"
import logging
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as Http
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as Grpc
import grpc
key = {{"authorization": "Bearer {KEY}"}}
for exporter in [
    Http(endpoint="http://{address}/v1/logs", headers=key, compression=Compression.Gzip),
    Grpc(endpoint="http://{other}", insecure=True, headers=key, compression=grpc.Compression.Gzip),
]:
    provider = LoggerProvider(resource=Resource.create({{"host.name": "h"}}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = logging.getLogger(type(exporter).__module__)
    logger.propagate = False
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.warning("hello", extra={{"user.name": "u"}})
    provider.shutdown()
"#
    );
    finish("python3", vec!["-W".to_owned(), "ignore".to_owned(), "-c".to_owned(), script]).await;
    let bodies = server.wait_for(2).await;
    for body in &bodies {
        let source = source(body);
        let seen = ["message", "host.name", "user.name"].map(|name| source[name].as_str());
        assert_eq!(seen, [Some("hello"), Some("h"), Some("u")]);
        assert!(source["@timestamp"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rsyslog_over_tcp() {
    if !available("rsyslog_over_tcp", "rsyslogd", &["-v"]) {
        return;
    }
    for framing in ["octet-counted", "traditional"] {
        let server = Server::new();
        let address = syslog(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let input = write(folder.path(), "input.log", "one\ntwo\n");
        let config = format!(
            "global(workDirectory=\"{}\")\nmodule(load=\"imfile\")\n\
             input(type=\"imfile\" file=\"{input}\" tag=\"app:\")\n\
             action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{}\" protocol=\"tcp\" tcp_framing=\"{framing}\" \
             template=\"RSYSLOG_SyslogProtocol23Format\")\n",
            folder.path().display(),
            address.port()
        );
        let config = write(folder.path(), "rsyslog.conf", &config);
        let pid = folder.path().join("pid").display().to_string();
        let _running = run("rsyslogd", &["-n", "-f", &config, "-i", &pid]);
        let bodies = wait_for_text(&server, &["one", "two"]).await;
        assert!(bodies.iter().all(|body| body.starts_with('<') && body.contains(">1 ")), "{bodies:?}");
        server.stop();
    }
}

/// Waits until some body ends with each of these texts; shippers send words of their own, too.
async fn wait_for_text(server: &Server, texts: &[&str]) -> Vec<String> {
    server
        .wait_until(|| texts.iter().all(|text| server.bodies().iter().any(|body| body.trim_end().ends_with(text))))
        .await;
    server.bodies()
}

#[tokio::test(flavor = "multi_thread")]
async fn rsyslog_to_elasticsearch() {
    let module = [
        "/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so",
        "/usr/lib/aarch64-linux-gnu/rsyslog/omelasticsearch.so",
    ];
    if !module.iter().any(|path| Path::new(path).exists()) {
        eprintln!("skipped: rsyslog_to_elasticsearch: the package rsyslog-elasticsearch is not installed");
        return;
    }
    let server = Server::new();
    let address = server.http(BodyLimits::default(), hec::Options::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path(), "input.log", "one\ntwo\n");
    let config = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imfile\")\nmodule(load=\"omelasticsearch\")\n\
         input(type=\"imfile\" file=\"{input}\" tag=\"app:\")\n\
         template(name=\"doc\" type=\"list\" option.jsonf=\"on\") {{ property(outname=\"message\" name=\"msg\" format=\"jsonf\") }}\n\
         action(type=\"omelasticsearch\" server=\"127.0.0.1\" serverport=\"{}\" template=\"doc\" searchIndex=\"rsyslog\" \
         searchType=\"\" bulkmode=\"on\" uid=\"lurcher\" pwd=\"{KEY}\" action.resumeretrycount=\"5\")\n",
        folder.path().display(),
        address.port()
    );
    let config = write(folder.path(), "rsyslog.conf", &config);
    let pid = folder.path().join("pid").display().to_string();
    let _running = run("rsyslogd", &["-n", "-f", &config, "-i", &pid]);
    server
        .wait_until(|| {
            ["one", "two"].iter().all(|text| server.bodies().iter().any(|body| source(body)["message"] == *text))
        })
        .await;
    assert!(server.taken().iter().all(|record| record.1 == "rsyslog"));
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_ng_over_tcp_and_http() {
    if !available("syslog_ng_over_tcp_and_http", "syslog-ng", &["--version"]) {
        return;
    }
    let server = Server::new();
    let tcp = syslog(&server).await;
    let http = server.http(BodyLimits::default(), hec::Options::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path(), "input.log", "one\ntwo\n");
    let has_http = Command::new("syslog-ng").arg("--module-registry").output();
    let has_http = has_http.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("http"));
    let (hec, bulk) = if has_http {
        (
            format!(
                "destination d_hec {{ http(url(\"http://{http}/services/collector/event\") method(\"POST\") \
                 headers(\"Authorization: Splunk {KEY}\") batch-lines(2) batch-timeout(500) \
                 body(\"$(format-json event=$MSG sourcetype='ng' host=$HOST)\")); }};\n"
            ),
            format!(
                "destination d_bulk {{ http(url(\"http://{http}/_bulk\") method(\"POST\") user(\"u\") password(\"{KEY}\") \
                 headers(\"Content-Type: application/x-ndjson\") batch-lines(2) batch-timeout(500) body-suffix(\"\\n\") \
                 body('{{\"index\":{{\"_index\":\"ng\"}}}}\n$(format-json message=$MSG)')); }};\n"
            ),
        )
    } else {
        eprintln!("skipped: syslog_ng_over_tcp_and_http: its module for HTTP is not installed (syslog-ng-mod-http)");
        (String::new(), String::new())
    };
    let also = if has_http { "destination(d_hec); destination(d_bulk);" } else { "" };
    let config = format!(
        "@version: 3.35\nsource s {{ file(\"{input}\" flags(no-parse) read-old-records(yes)); }};\n\
         destination d_tcp {{ syslog(\"127.0.0.1\" port({}) transport(\"tcp\")); }};\n{hec}{bulk}\
         log {{ source(s); destination(d_tcp); {also} }};\n",
        tcp.port()
    );
    let config = write(folder.path(), "syslog-ng.conf", &config);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (persist, pid, control) = (path("persist"), path("pid"), path("control"));
    let arguments = ["-F", "--no-caps", "-f", &config, "-R", &persist, "-p", &pid, "-c", &control];
    let _running = run("syslog-ng", &arguments);
    let want = if has_http { 6 } else { 2 };
    let taken = server.wait_for(want).await;
    let of = |stream: &str| server.taken().iter().filter(|record| record.1 == stream).count();
    assert_eq!(of("syslog"), 2, "{taken:?}");
    if has_http {
        assert_eq!(
            (of("ng"), taken.iter().filter(|body| body.contains("\"_raw\":\"one\"")).count()),
            (4, 1),
            "{taken:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kcat_produces() {
    if !available("kcat_produces", "kcat", &["-V"]) {
        return;
    }
    use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
    let cluster: MockCluster<'_, DefaultProducerContext> = MockCluster::new(1).unwrap();
    cluster.create_topic("events", 1, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path(), "input", "{\"a\":1}\n{\"a\":2}\n");
    let arguments = ["-P", "-b", &brokers, "-t", "events", "-l", &input].map(str::to_owned);
    finish("kcat", arguments.to_vec()).await;
    let server = Server::new();
    let options: kafka::Options = toml::from_str(&format!("brokers = {brokers:?}\ntopics = [\"events\"]")).unwrap();
    let running = tokio::spawn(kafka::run(options, server.reception(), server.stop_receiver()));
    assert_eq!(server.wait_for(2).await, ["{\"a\":1}", "{\"a\":2}"]);
    server.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fluent_bit() {
    let program = if Path::new("/opt/fluent-bit/bin/fluent-bit").exists() {
        "/opt/fluent-bit/bin/fluent-bit"
    } else {
        "fluent-bit"
    };
    if !available("fluent_bit", program, &["--version"]) {
        return;
    }
    let server = Server::new();
    let port = server.http(BodyLimits::default(), hec::Options::default()).await.port().to_string();
    let port = format!("port={port}");
    let password = format!("http_passwd={KEY}");
    let common = ["-q", "-f", "1", "-i", "dummy", "-p", "samples=1"];
    let bulk = [
        "-o",
        "es",
        "-p",
        "host=127.0.0.1",
        "-p",
        &port,
        "-p",
        "http_user=u",
        "-p",
        &password,
        "-p",
        "suppress_type_name=on",
    ];
    let _one = run(program, &[&common[..], &bulk].concat());
    let token = format!("splunk_token={KEY}");
    let hec = ["-o", "splunk", "-p", "host=127.0.0.1", "-p", &port, "-p", &token];
    let _two = run(program, &[&common[..], &hec].concat());
    server.wait_for(2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.count(|c| &c.malformed), 0);
}
