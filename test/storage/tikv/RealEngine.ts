// The engine on a running cluster, for the life of a scope, and its calls as effects.
// Owns nothing but the opening; what is asked of it is each test's own.
import { Effect } from "effect"
import { machineClockwork } from "#kube"
import { openTikvEngine } from "../../../core/storage/tikv/OpenTikvEngine.ts"
import type { CommitWays } from "../../../core/storage/tikv/TransactionCommit.ts"
import type { TestBed } from "./TestBed.ts"

const noTls = { caFile: "", certFile: "", keyFile: "" }

/** Opens an engine of its own on the test bed. */
export const openOn = (bed: TestBed, keyPrefix: string, ways?: CommitWays) => {
  const options = { pdEndpoints: [bed.pd], tls: noTls, keyPrefix, node: "test" }
  return openTikvEngine(ways === undefined ? options : { ...options, ways }, machineClockwork).pipe(
    Effect.mapError(({ message }) => message)
  )
}
