// Requests as the data path would tell of them, for tests and benchmarks of observers.
import { requestInfo, RequestInfoInvalid } from "#kube"
import type { RequestRecord } from "../../../core/gateway/observe/Observer.ts"

/** A request's record: what is not said is that of a short, good GET. */
export const recordOf = (
  method: string,
  path: string,
  given: Partial<RequestRecord> & { readonly headers?: Readonly<Record<string, string>>; readonly user?: string } = {}
): RequestRecord => {
  const info = requestInfo(method, path)
  if (info instanceof RequestInfoInvalid) throw info
  const { headers = {}, user = "alice", ...rest } = given
  return {
    exchange: { method, path, protocol: "HTTP/2.0", peer: "10.1.2.3:4567", header: (name) => headers[name] },
    auditId: "11111111-2222-3333-4444-555555555555",
    receivedAtMs: 1_700_000_000_000,
    cluster: "a.example.io",
    endpoint: "https://10.0.0.1:6443",
    flowControl: "",
    facts: {
      info,
      user: { name: user, groups: ["system:authenticated"] },
      userAgent: headers["user-agent"] ?? "",
      sourceIp: "10.1.2.3",
      query: path.split("?")[1] ?? "",
      draw: 0.5
    },
    impersonator: undefined,
    log: true,
    code: 200,
    reason: "",
    receivedBytes: 0,
    sentBytes: 512,
    trace: undefined,
    arrivedMs: 1000,
    authenticatedMs: 1000.05,
    admittedMs: 1000.06,
    sentMs: 1000.1,
    headMs: 1001,
    endedMs: 1001.2,
    ...rest
  }
}
