// What every request of a gateway shares.
// Owns the bundle and the bounds of the data path; refuses any behaviour.
import type { Clockwork } from "#kube"
import type { HttpExchangeHandler } from "#net"
import type { Dial } from "../balance/DialAdapter.ts"
import type { Admission } from "../limits/Admission.ts"
import type { Observer } from "../observe/Observer.ts"
import type { Directory } from "./Directory.ts"
import type { GoAway } from "./LoadPressure.ts"

export interface ProxyContext {
  readonly clockwork: Clockwork
  readonly dial: Dial
  readonly directory: Directory
  readonly admission: Admission
  readonly observer: Observer
  /** Answers requests whose host is no cluster's, for instance with the gateway's own pages; by default 421. */
  readonly others: HttpExchangeHandler | undefined
  /** Whether clients are to spread over gateways anew. */
  readonly goAway: GoAway
  /** Told what broke an invariant of ours. */
  readonly onDefect: (defect: unknown) => void
}

/** Bodies of at most so many bytes are read before an endpoint is asked, so that another one can be asked. */
export const HELD_BODY_BYTES_MAX = 65_536
