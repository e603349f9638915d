// Etsy's statsd (npm statsd 0.9) in front of Graphite. The hosts come from the environment, as all our settings do.
{
  port: 8125,
  address: process.env.STATSD_ADDRESS || "0.0.0.0",
  mgmt_address: "127.0.0.1", // its console can delete metrics: nobody else's business
  mgmt_port: 8126,
  graphiteHost: process.env.GRAPHITE_HOST || "127.0.0.1",
  graphitePort: Number(process.env.GRAPHITE_PORT || 2003),
  backends: ["./backends/graphite"],
  flushInterval: 10000, // carbon's finest step, see storage-schemas.conf
  percentThreshold: [50, 95, 99],
  deleteIdleStats: true, // a worker that is gone says nothing, and not 0 for ever
  deleteGauges: false, // the depth of a queue is what it was until somebody says otherwise
  graphite: { legacyNamespace: false }, // stats.counters.runnerly..., stats.timers..., stats.gauges...
}
