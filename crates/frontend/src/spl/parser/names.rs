//! The names of commands: those that are read, and those that are known and not run.

/// The commands that are read.
#[rustfmt::skip]
pub(super) const RUN: [&str; 111] = [
    "search", "where", "eval", "stats", "eventstats", "streamstats", "tstats", "mstats", "chart", "timechart", "top",
    "rare", "table", "fields", "rename", "rex", "regex", "spath", "xmlkv", "xpath", "extract", "kv", "bin", "bucket",
    "discretize", "dedup", "sort", "head", "tail", "reverse", "fillnull", "filldown", "convert", "fieldformat", "makemv",
    "mvexpand", "mvcombine", "nomv", "join", "append", "appendcols", "appendpipe", "union", "multisearch", "lookup",
    "inputlookup", "outputlookup", "iplocation", "transaction", "foreach", "map", "addtotals", "addinfo", "replace",
    "from", "datamodel", "makeresults", "format", "return", "fromjson", "noop", "localop", "collect", "sendalert",
    "sendemail", "outputcsv", "highlight", "abstract", "mcollect", "meventcollect", "sichart", "accum", "delta",
    "autoregress", "trendline", "set", "uniq", "strcat", "untable", "xyseries", "maketable", "transpose", "addcoltotals",
    "makecontinuous", "fieldsummary", "rangemap", "reltime", "setfields", "inputcsv", "metadata", "metasearch",
    "eventcount", "gentimes", "tags", "typer", "localize", "iconify", "relevancy", "rtorder", "tscollect", "outputtext",
    "sistats", "sitimechart", "sitop", "sirare", "redistribute",
    "require", "apply", "multikv", "outlier", "summary",
];

/// Commands with searches in brackets.
pub(super) const COMBINATIONS: [&str; 6] = ["join", "append", "appendcols", "appendpipe", "union", "multisearch"];

/// Commands that take fields and `name=value`, and nothing else.
#[rustfmt::skip]
pub(super) const PLAIN: [&str; 19] = [
    "uniq", "strcat", "untable", "xyseries", "maketable", "transpose", "addcoltotals", "makecontinuous", "fieldsummary",
    "rangemap", "reltime", "setfields", "inputcsv", "metadata", "eventcount", "gentimes", "require",
    "outlier", "summary",
];

/// Commands that are known and not run; the lowering says why.
#[rustfmt::skip]
pub(super) const NOT_RUN: [&str; 61] = [
    "fit", "score", "sample", "anomalies", "anomalousvalue", "anomalydetection", "associate",
    "cluster", "contingency", "counttable", "ctable", "correlate", "cofilter", "analyzefields", "af", "arules", "predict",
    "kmeans", "cyberchef", "concurrency", "diff", "dbinspect", "dump", "entitymerge", "erex",
    "findtypes", "folderize", "gauge", "geom", "geomfilter", "geostats", "history", "kvform", "loadjob", "mcatalog",
    "mpreview", "msearch", "rest", "run", "runshellscript", "savedsearch", "script", "scrub", "searchtxn", "selfjoin",
    "thru", "timewrap", "tojson", "typelearner", "walklex", "x11", "listmodels", "deletemodel", "audit", "overlap", "bucketdir",
    "pivot", "typeahead", "xmlunescape", "datamodelsimple", "inputintelligence",
];
