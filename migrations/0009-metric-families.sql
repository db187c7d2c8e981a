-- What a metric is, once for all of its series: what Prometheus calls metadata.

-- Written by the collector alone, when it first stores a sample of the metric and when its source describes it otherwise.
CREATE TABLE metric_families (
  name TEXT PRIMARY KEY,              -- exported, without the suffixes of a histogram's series: cpu_usage_percent
  type TEXT NOT NULL,                 -- counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown
  help TEXT NOT NULL,
  unit TEXT NOT NULL                  -- empty where there is none
);
