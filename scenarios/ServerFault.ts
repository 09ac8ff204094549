// What may befall a server while its load runs, as a schema: the words of a scenario file.
// Owns names and defaults; each backend does it to its own processes (backends/ServerProcess.ts, backends/TikvNodes.ts).
import { Effect, Schema } from "effect"
import { Span } from "./Quantity.ts"

/** What is done to the server that leads; where there is but one, to that one. */
export const ServerFault = Schema.Struct({
  kind: Schema.Literals(["hand-over", "kill", "pause"]).annotate({
    description:
      "hand-over: SIGTERM, so that it hands leadership over; kill: SIGKILL; both are started again after `for`. pause: SIGSTOP for as long"
  }),
  after: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("2s"))).annotate({
    description: "Time from the phase's start to the fault"
  }),
  for: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("3s"))).annotate({
    description: "How long the server is gone"
  })
})

export type ServerFault = typeof ServerFault.Type
