// What an API server of any make counted: its requests from /metrics, its connections from the kernel's table of sockets.
// Owns reading both; who asks says which port and as whom.
import { type Asked, askOnce } from "#kind"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { clusterHost } from "../load/FrontEndpoint.ts"
import type { UpstreamCounts } from "./Upstream.ts"

const established = "01"

/** Connections to a port of 127.0.0.1 that are open now; null where the kernel does not tell. */
export const connectionsTo = (port: number): number | null => {
  try {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
    const open = readFileSync("/proc/net/tcp", "latin1")
      .split("\n")
      .filter((line) => {
        const [, own = "", , state] = line.trim().split(/\s+/)
        return own.endsWith(local) && state === established
      })
    return open.length
  } catch {
    return null
  }
}

const reviewed = /resource="(?:tokenreviews|subjectaccessreviews)"/
const counter = /^apiserver_request_total\{([^}]*)\} (\S+)$/gm

/** Sums of a page of metrics: all requests but those of the server itself, and reviews apart. */
export const countsOf = (page: string): Pick<UpstreamCounts, "requests" | "reviews"> => {
  let [requests, reviews] = [0, 0]
  for (const [, labels = "", value] of page.matchAll(counter)) {
    if (reviewed.test(labels)) reviews += Number(value)
    else requests += Number(value)
  }
  return { requests, reviews }
}

/** Asks for what was counted. */
export const realCounts = (asked: Omit<Asked, "path">): Effect.Effect<UpstreamCounts> =>
  Effect.map(askOnce({ ...asked, path: "/metrics", host: clusterHost }), ({ status, text }) => ({
    ...(status === 200 ? countsOf(text) : { requests: null, reviews: null }),
    connections: connectionsTo(asked.port)
  }))
