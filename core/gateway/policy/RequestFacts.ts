// What a policy may look at: the resolved request, who asks, and the few headers that rules name.
// Owns the shape and what follows from it (long-running, the resource version asked for); refuses reading it off the wire.
import type { UserInfo } from "#apiserver"
import { firstQueryValue, type RequestInfo } from "#kube"

export interface RequestFacts {
  readonly info: RequestInfo
  readonly user: UserInfo
  /** Empty when none was sent. */
  readonly userAgent: string
  /** The client's address without its port, as the gateway believes it. */
  readonly sourceIp: string
  /** As sent, without the question mark. */
  readonly query: string
  /** In [0, 1): where the request falls in rules that take a percentage. Drawn once for each request. */
  readonly draw: number
}

const longRunningSubresources: ReadonlySet<string> = new Set(["attach", "exec", "proxy", "log", "portforward"])

/** Whether a request lasts as long as it likes: watches, proxies, and what streams to and from containers. */
export const isLongRunning = ({ isResourceRequest, subresource, verb }: RequestInfo): boolean =>
  isResourceRequest && (verb === "watch" || verb === "proxy" || longRunningSubresources.has(subresource))

/** The resource version that a read asks for; empty for none. */
export const askedVersion = ({ query }: RequestFacts): string =>
  query === "" ? "" : (firstQueryValue(query, "resourceVersion") ?? "")
