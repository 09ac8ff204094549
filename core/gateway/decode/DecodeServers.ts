// The servers of a manifest as endpoints.
// Owns what an endpoint's URL may be; refuses names' resolution and reachability, which the data path finds out.
import { type Fields, invalid, invalidUnshown, itemsOf, required, textOf } from "#apiserver"
import type { Endpoint } from "../config/UpstreamCluster.ts"
import { type Findings, numberOr } from "./Decoding.ts"

const FIELD = "spec.servers"

const parsedUrl = (text: string): URL | undefined => {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/** The URL as an endpoint's name: what was written, without slashes at the end. */
export const endpointName = (url: string): string => url.replace(/\/+$/, "")

const hostOf = ({ hostname }: URL): string => (hostname.startsWith("[") ? hostname.slice(1, -1) : hostname)

const endpointOf = (server: Fields, path: string, { problems }: Findings): Endpoint | undefined => {
  const written = textOf(server["endpoint"])
  if (!/^https?:\/\//.test(written)) {
    problems.push(invalid(path, written, "endpoint must supply http(s) schema"))
    return undefined
  }
  const url = parsedUrl(written)
  if (url !== undefined && (url.username !== "" || url.password !== "")) {
    problems.push(invalidUnshown(path, "must not hold a user or a password"))
    return undefined
  }
  if (url === undefined || url.search !== "" || url.hash !== "") {
    problems.push(invalid(path, written, "must be a URL of a host, perhaps with a port and a path"))
    return undefined
  }
  const secure = url.protocol === "https:"
  return {
    url: endpointName(written),
    secure,
    host: hostOf(url),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    pathPrefix: endpointName(url.pathname),
    disabled: server["disabled"] === true,
    weight: numberOr(server["weight"], 1)
  }
}

/** spec.servers. */
export const decodeServers = (spec: Fields, findings: Findings): ReadonlyArray<Endpoint> => {
  const { problems, warnings } = findings
  const servers = itemsOf(spec["servers"])
  if (servers.length === 0) problems.push(required(FIELD, "resource must supply at least one upstream server"))
  const found = new Map<string, Endpoint>()
  for (const [at, server] of servers.entries()) {
    const endpoint = endpointOf(server, `${FIELD}[${at}].endpoint`, findings)
    if (endpoint === undefined) continue
    if (found.has(endpoint.url))
      warnings.push(`${FIELD}[${at}].endpoint: ${endpoint.url} is there twice; the first counts`)
    else found.set(endpoint.url, endpoint)
  }
  const endpoints = [...found.values()]
  if (new Set(endpoints.map(({ secure }) => secure)).size > 1)
    problems.push(invalid(FIELD, "", "all upstream servers' endpoints must use the same scheme"))
  return endpoints
}
