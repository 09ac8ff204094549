// Our own API server, in memory, as what stands behind a front: `wharf serve apiserver` in a process of its own.
// Owns its command line; it makes its own serving certificate, which the run's clients are told to trust.
import { answersOk, freePort, ServerFailed } from "#kind"
import { Effect, type Scope } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { packageRoot, packageVersion } from "../../PackageRoot.ts"
import { openFrontProcess } from "../FrontProcess.ts"
import { clusterHost } from "../load/FrontEndpoint.ts"
import { connectionsTo, realCounts } from "./RealCounts.ts"
import { adminPair, letLoadIn, writeRunFiles } from "./RunFiles.ts"
import type { RunningUpstream, UpstreamSettings } from "./Upstream.ts"

/** The authority in a kubeconfig that the server wrote; undefined while there is none. */
const authorityIn = (file: string): string | undefined => {
  if (!existsSync(file)) return undefined
  const read: unknown = parse(readFileSync(file, "utf8"))
  const data = /"certificate-authority-data":"([^"]+)"/.exec(JSON.stringify(read))?.[1]
  return data === undefined ? undefined : Buffer.from(data, "base64").toString("utf8")
}

/** Starts it; it lives as long as the scope. */
export const openApiServer = ({
  certificates,
  directory,
  front
}: UpstreamSettings): Effect.Effect<RunningUpstream, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const files = writeRunFiles(front, certificates, join(directory, "upstream"))
    const port = yield* freePort
    const kubeconfig = join(directory, "upstream", "admin.conf")
    const pair = adminPair(certificates)
    const process = yield* openFrontProcess("upstream", "upstream", {
      backend: "apiserver",
      command: join(packageRoot, "bin", "wharf"),
      args: [
        "serve",
        "apiserver",
        "--listen",
        `127.0.0.1:${port}`,
        "--kubeconfig",
        kubeconfig,
        "--client-ca-file",
        files.ca,
        "--token-auth-file",
        files.tokens,
        "--tls-san",
        clusterHost,
        "--disable-admission-plugins",
        "ServiceAccount",
        // The bounds spare administrators, as whom nobody but the direct side asks: it would be measured, and not the front.
        "--max-requests-inflight",
        "0",
        "--max-mutating-requests-inflight",
        "0"
      ],
      directory,
      ready: Effect.suspend(() => {
        const ca = authorityIn(kubeconfig)
        return ca === undefined
          ? Effect.succeed(false)
          : answersOk({ port, path: "/readyz", ca, pair, host: clusterHost })
      })
    })
    const ca = authorityIn(kubeconfig)
    if (ca === undefined)
      return yield* new ServerFailed({
        backend: "apiserver",
        reason: "wrote no authority into its kubeconfig",
        log: ""
      })
    yield* letLoadIn(port, ca, certificates)
    const count = realCounts({ port, ca, pair })
    const connections = Effect.sync(() => connectionsTo(port))
    return {
      version: packageVersion(),
      ports: [port],
      processes: [process],
      ca,
      count,
      connections,
      keepsObjects: true
    }
  })
