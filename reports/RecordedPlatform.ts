// The surroundings part of a run record: the machine, the software versions, the store under test, the load generator's
// own ceiling and what each process used while the load ran.
// Owns the shape only. Reading /proc, versions or git is the runner's work; deciding whether two machines may be
// compared is Compare.ts's.
import { Schema } from "effect"
import { Count } from "./RecordedLoad.ts"

const Amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Load = Schema.Tuple([Amount, Amount, Amount])

/** What the run ran on; the boot id is hashed, so that it tells machines apart and says nothing else. */
export const Machine = Schema.Struct({
  cpuModel: Schema.String,
  cores: Count,
  memoryBytes: Count,
  kernel: Schema.String,
  node: Schema.String,
  governor: Schema.NullOr(Schema.String).annotate({
    description: "CPU frequency governor, null where none is exposed"
  }),
  loadBefore: Load.annotate({ description: "Load average over 1, 5 and 15 minutes before the run" }),
  loadAfter: Load,
  bootIdHash: Schema.String.annotate({ description: "SHA-256 of the OS boot id, hex" })
}).annotate({ identifier: "Machine" })

/** Which wharf made the record. */
export const Versions = Schema.Struct({
  wharf: Schema.String,
  gitCommit: Schema.NullOr(Schema.String)
}).annotate({ identifier: "Versions" })

/** The system under test. `durable` says whether an acknowledged write has been flushed to disk. */
export const Backend = Schema.Struct({
  name: Schema.NonEmptyString,
  version: Schema.String,
  settings: Schema.Record(Schema.String, Schema.String),
  durable: Schema.Boolean
}).annotate({ identifier: "Backend" })

/** What the load generator can do against an empty handler, and how busy it was while measuring (100 % = one core). */
export const Generator = Schema.Struct({
  ceilingPerS: Schema.NullOr(Amount),
  ceilingCpuPercent: Schema.NullOr(Amount),
  cpuPercent: Schema.NullOr(Amount)
}).annotate({ identifier: "Generator" })

/** Per-second use of one process; every array is as long as `atS`. */
export const Component = Schema.Struct({
  name: Schema.NonEmptyString,
  role: Schema.Literals(["server", "load-generator", "other"]),
  atS: Schema.Array(Amount),
  cpuPercent: Schema.Array(Amount),
  rssBytes: Schema.Array(Count),
  anonymousBytes: Schema.Array(Count),
  diskWrittenBytes: Schema.Array(Count).annotate({ description: "Bytes written during that second" }),
  threads: Schema.Array(Count),
  totals: Schema.Struct({
    cpuSeconds: Amount,
    rssMaxBytes: Count,
    anonymousMaxBytes: Count,
    diskWrittenBytes: Count,
    threadsMax: Count
  })
}).annotate({ identifier: "Component" })

export type Machine = typeof Machine.Type
export type Versions = typeof Versions.Type
export type Backend = typeof Backend.Type
export type Generator = typeof Generator.Type
export type Component = typeof Component.Type
