//! PAN-OS's logs: columns without names, told by the type of the log (Palo Alto Networks, PAN-OS Administrator's Guide,
//! "Syslog Field Descriptions", 9.1 to 11.1).
//!
//! Fields have the names that the guide puts in brackets (`src`, `natsrc`, `sessionid`). `type` and `subtype` are
//! attributes of the shape. The time is that at which the log was generated, in UTC: the device says no zone.

use std::borrow::Cow;

use lurcher_schema::Timestamp;

use super::{Line, time_of};
use crate::windows::Desk;

/// The columns that every log begins with; an empty name is a column that means nothing.
const FIRST: &str = ",receive_time,serial,type,subtype,,time_generated";
/// What follows in logs of traffic and of threats.
const SESSION: &str = "src,dst,natsrc,natdst,rule,srcuser,dstuser,app,vsys,from,to,inbound_if,outbound_if,logset,,\
    sessionid,repeatcnt,sport,dport,natsport,natdport,flags,proto,action";
const TRAFFIC: &str = "bytes,bytes_sent,bytes_received,packets,start,elapsed,category,,seqno,actionflags,srcloc,dstloc,,\
    pkts_sent,pkts_received,session_end_reason,dg_hier_level_1,dg_hier_level_2,dg_hier_level_3,dg_hier_level_4,vsys_name,\
    device_name,action_source,src_uuid,dst_uuid,imsi,imei,parent_session_id,parent_start_time,tunnel,assoc_id,chunks,\
    chunks_sent,chunks_received,rule_uuid,http2_connection,link_change_count,policy_id,link_switches,sdwan_cluster,\
    sdwan_device_type,sdwan_cluster_type,sdwan_site,dynusergroup_name,xff_ip,src_category,src_profile,src_model,\
    src_vendor,src_osfamily,src_osversion,src_host,src_mac,dst_category,dst_profile,dst_model,dst_vendor,dst_osfamily,\
    dst_osversion,dst_host,dst_mac";
const THREAT: &str = "misc,threatid,category,severity,direction,seqno,actionflags,srcloc,dstloc,,contenttype,pcap_id,\
    filedigest,cloud,url_idx,user_agent,filetype,xff,referer,sender,subject,recipient,reportid,dg_hier_level_1,\
    dg_hier_level_2,dg_hier_level_3,dg_hier_level_4,vsys_name,device_name,,src_uuid,dst_uuid,http_method,imsi,imei,\
    parent_session_id,parent_start_time,tunnel,thr_category,contentver,,assoc_id,ppid,http_headers,url_category_list,\
    rule_uuid,http2_connection,dynusergroup_name,xff_ip,src_category,src_profile,src_model,src_vendor,src_osfamily,\
    src_osversion,src_host,src_mac,dst_category,dst_profile,dst_model,dst_vendor,dst_osfamily,dst_osversion,dst_host,\
    dst_mac";
const SYSTEM: &str = "vsys,eventid,object,,,module,severity,opaque,seqno,actionflags,dg_hier_level_1,dg_hier_level_2,\
    dg_hier_level_3,dg_hier_level_4,vsys_name,device_name";
const CONFIG: &str = "host,vsys,cmd,admin,client,result,path,seqno,actionflags,dg_hier_level_1,dg_hier_level_2,\
    dg_hier_level_3,dg_hier_level_4,vsys_name,device_name";
const GLOBALPROTECT: &str = "vsys,eventid,stage,auth_method,tunnel_type,srcuser,srcregion,machinename,public_ip,\
    public_ipv6,private_ip,private_ipv6,hostid,serialnumber,client_ver,client_os,client_os_ver,repeatcnt,reason,error,\
    opaque,status,location,login_duration,connect_method,error_code,portal,seqno,actionflags,high_res_timestamp,\
    selection_type,response_time,priority,attempted_gateways,gateway,dg_hier_level_1,dg_hier_level_2,dg_hier_level_3,\
    dg_hier_level_4,vsys_name,device_name,vsys_id";
const AUTHENTICATION: &str = "vsys,ip,user,normalize_user,object,authpolicy,repeatcnt,authid,vendor,logset,serverprofile,\
    desc,clienttype,event,factorno,seqno,actionflags,dg_hier_level_1,dg_hier_level_2,dg_hier_level_3,dg_hier_level_4,\
    vsys_name,device_name,vsys_id,authproto";
const USERID: &str = "vsys,ip,user,datasourcename,eventid,repeatcnt,timeout,beginport,endport,datasource,datasourcetype,\
    seqno,actionflags,dg_hier_level_1,dg_hier_level_2,dg_hier_level_3,dg_hier_level_4,vsys_name,device_name,vsys_id,\
    factortype,factorcompletiontime,factorno,ugflags,userbysource";

/// The types of logs, and their columns behind those that all have.
const TYPES: [(&str, &[&str]); 8] = [
    ("TRAFFIC", &[SESSION, TRAFFIC]),
    ("THREAT", &[SESSION, THREAT]),
    ("SYSTEM", &[SYSTEM]),
    ("CONFIG", &[CONFIG]),
    ("GLOBALPROTECT", &[GLOBALPROTECT]),
    ("AUTHENTICATION", &[AUTHENTICATION]),
    ("USERID", &[USERID]),
    // Only what all logs have is read.
    ("HIPMATCH", &[]),
];

/// A message: its columns, and the names of those that are its type's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::logs) struct Message<'a> {
    text: &'a str,
    columns: &'static [&'static str],
}

/// The columns of a line; `None` if it is none of PAN-OS's.
pub(super) fn message(line: &str) -> Option<Message<'_>> {
    let (before, _) = line.split_once(',')?;
    let text = line.get(before.rfind(' ').map_or(0, |at| at + 1)..)?;
    let mut cells = text.splitn(6, ',');
    let (_, received, _serial, kind) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let (_, _) = (cells.next()?, cells.next()?);
    moment(received)?;
    let (_, columns) = TYPES.iter().find(|(name, _)| *name == kind)?;
    Some(Message { text, columns })
}

/// A time as the device writes it: with blanks and slashes, or in RFC 3339.
fn moment(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.split_once(' ').unwrap_or((text, ""));
    time_of(date, clock, "").or_else(|| Timestamp::parse(text).filter(|_| text.contains('T')))
}

impl<'a> Message<'a> {
    /// The event.
    pub(super) fn event(&self, desk: &mut Desk, (host, received): (&'a str, Option<Timestamp>)) -> Line<'a> {
        let mut line = Line::new("panos");
        let own = self.columns.iter().flat_map(|columns| columns.split(','));
        let names = FIRST.split(',').chain(own).map(str::trim);
        for (name, value) in names.zip(Cells(Some(self.text))) {
            match name {
                "" => continue,
                "type" => line.attribute("type", value.to_string()),
                "subtype" => line.attribute("subtype", value.to_string()),
                "time_generated" => line.time = moment(&value).or(received),
                _ => {}
            }
            line.either(desk, name, value);
        }
        // A log's own host is a column of that name: the configuration's administrator sits there.
        line.text(desk, "relay", host);
        line
    }
}

/// The cells of a line; those in quotes may hold commas, and quotes doubled.
struct Cells<'a>(Option<&'a str>);

impl<'a> Iterator for Cells<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0?;
        let Some(quoted) = text.strip_prefix('"') else {
            let (cell, rest) = text.split_once(',').map_or((text, None), |(cell, rest)| (cell, Some(rest)));
            self.0 = rest;
            return Some(Cow::Borrowed(cell));
        };
        let bytes = quoted.as_bytes();
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            match (byte, bytes.get(end + 1)) {
                (b'"', Some(b'"')) => end += 2,
                (b'"', _) => break,
                _ => end += 1,
            }
        }
        let cell = quoted.get(..end).unwrap_or(quoted);
        self.0 = quoted.get(end + 1..).and_then(|rest| rest.split_once(',')).map(|(_, rest)| rest);
        Some(if cell.contains("\"\"") { Cow::Owned(cell.replace("\"\"", "\"")) } else { Cow::Borrowed(cell) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_may_be_quoted() {
        let found: Vec<Cow<'_, str>> = Cells(Some("a,,\"b, c\",\"say \"\"x\"\"\",d")).collect();
        assert_eq!(found, ["a", "", "b, c", "say \"x\"", "d"]);
        let open: Vec<Cow<'_, str>> = Cells(Some("a,\"b,c")).collect();
        assert_eq!(open, ["a", "b,c"]);
        assert_eq!(Cells(Some("a,")).count(), 2);
    }

    #[test]
    fn every_name_is_a_word() {
        for (kind, columns) in TYPES {
            let names = columns.iter().flat_map(|columns| columns.split(',')).map(str::trim);
            let odd: Vec<&str> =
                names.filter(|name| name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')).collect();
            assert_eq!(odd, [""; 0], "{kind}");
        }
    }
}
