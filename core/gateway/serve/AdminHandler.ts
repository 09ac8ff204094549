// The gateway's own pages for its own address: who may see them, and what stands for hosts that are nobody's.
// Owns the joining of AdminPages.ts with the gateway's certificates; refuses what pages say.
import { Authenticator, CertificateAuthorities, clientCertificates, versionInfo } from "#apiserver"
import { Failures, machineClockwork } from "#kube"
import type { HttpExchangeHandler } from "#net"
import { AdminPages } from "../observe/AdminPages.ts"
import { gatewayChecks, gatewayPages, type GatewayParts } from "./GatewayPages.ts"

export interface AdminHandlerOptions {
  readonly parts: GatewayParts
  readonly metrics: () => string
  /** PEM of who makes administrators; empty: nobody proves anything, and only health is shown. */
  readonly clientCa: string
  readonly names: ReadonlyArray<string>
}

/** 421 Misdirected Request: no cluster has this host, and it is not the gateway's own. */
const strangers: HttpExchangeHandler = (exchange) => {
  const { status } = Failures.generic(421, "MisdirectedRequest", "no cluster is served under this host")
  exchange.respond(421, [["content-type", "application/json"]], JSON.stringify(status))
}

/** Answers requests for the gateway itself. */
export const adminHandler = ({ clientCa, metrics, names, parts }: AdminHandlerOptions): HttpExchangeHandler => {
  const authenticator =
    clientCa === ""
      ? undefined
      : new Authenticator({
          ways: [clientCertificates(new CertificateAuthorities(clientCa), machineClockwork.now)],
          anonymous: false
        })
  return new AdminPages({
    ...(authenticator === undefined ? {} : { authenticator }),
    names,
    checks: gatewayChecks(parts),
    metrics,
    version: versionInfo,
    debug: gatewayPages(parts),
    strangers
  }).handler
}
