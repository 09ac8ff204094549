// Our gateway as a front: `wharf serve gateway` over a folder with the run's UpstreamCluster, as many as the scenario says, and
// `wharf serve ratelimiter` beside them where a limit is global. Owns command lines and the folder; the manifest is GatewayManifest.ts's.
import { answersOk, askOnce, freePort, ServerFailed } from "#kind"
import { Effect } from "effect"
import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packageVersion } from "../../PackageRoot.ts"
import { type FrontProcess, openFrontProcess } from "../FrontProcess.ts"
import { clusterHost } from "../load/FrontEndpoint.ts"
import { adminPair, writeRunFiles } from "../upstream/RunFiles.ts"
import type { FrontKind, FrontSettings, RunningFront } from "./FrontBackend.ts"
import { gatewayManifest, isGlobal } from "./GatewayManifest.ts"
import { hasServer, wharfProgram } from "./OwnServer.ts"

interface Instance {
  readonly port: number
  readonly process: FrontProcess
}

const openInstance = (settings: FrontSettings, configDir: string, flags: ReadonlyArray<string>, index: number) =>
  Effect.gen(function* () {
    const { certificates, front } = settings
    const port = yield* freePort
    const pair = adminPair(certificates)
    const process = yield* openFrontProcess(front.instances === 1 ? "gateway" : `gateway ${index + 1}`, "front", {
      backend: "gateway",
      command: wharfProgram,
      args: [
        ["serve", "gateway", "--config-dir", configDir, "--cert-dir", join(settings.directory, `gateway-${index}`)],
        ["--bind-address", "127.0.0.1", "--proxy-secure-ports", String(port), "--secure-port", "0"],
        flags
      ].flat(),
      directory: settings.directory,
      // Through to the upstream: its version, as the administrator.
      ready: answersOk({ port, path: "/version", ca: certificates.ca, pair, host: clusterHost })
    })
    const instance: Instance = { port, process }
    return instance
  })

/** The limiter, and the flags by which gateways find it. */
const openLimiter = (settings: FrontSettings, configDir: string) =>
  Effect.gen(function* () {
    const { certificates, directory, front } = settings
    const files = writeRunFiles(front, certificates, join(directory, "limiter"))
    const port = yield* freePort
    const asked = { port, path: "/readyz", ca: certificates.ca, pair: certificates.front, host: clusterHost }
    const process = yield* openFrontProcess("limiter", "limiter", {
      backend: "gateway",
      command: wharfProgram,
      args: [
        ["serve", "ratelimiter", "--config-dir", configDir, "--ratelimiter-secure-port", String(port)],
        ["--tls-cert-file", files.serverCert, "--tls-private-key-file", files.serverKey, "--client-ca-file", files.ca]
      ].flat(),
      directory,
      ready: Effect.map(askOnce(asked), ({ status }) => status > 0)
    })
    const flags = [
      ["--ratelimiter", "remote", "--ratelimiter-service", `127.0.0.1:${port}`, "--ratelimiter-ca-file", files.ca],
      ["--ratelimiter-client-cert-file", files.frontCert, "--ratelimiter-client-key-file", files.frontKey]
    ].flat()
    return { processes: [process], flags }
  })

const open = (settings: FrontSettings) =>
  Effect.gen(function* () {
    const { certificates, directory, front, upstream } = settings
    const configDir = join(directory, "gateway")
    mkdirSync(configDir, { recursive: true, mode: 0o700 })
    const write = (turn: number): void => {
      const file = join(configDir, "cluster.yaml")
      const upstreamOf = { upstreamCa: upstream.ca, upstreamPorts: upstream.ports }
      writeFileSync(`${file}.new`, gatewayManifest({ front, certificates, ...upstreamOf, turn }), { mode: 0o600 })
      renameSync(`${file}.new`, file)
    }
    write(0)
    const numbers = Array.from({ length: front.instances }, (_, index) => index)
    const limiter = isGlobal(front) ? yield* openLimiter(settings, configDir) : { processes: [], flags: [] }
    const instances = yield* Effect.forEach(numbers, (index) => openInstance(settings, configDir, limiter.flags, index))
    const running: RunningFront = {
      targets: instances.map(({ port }) => ({ host: "127.0.0.1", port })),
      processes: [...instances.map(({ process }) => process), ...limiter.processes],
      ca: certificates.ca,
      translates: false,
      tenants: [],
      swap: (turn) =>
        Effect.try({
          try: () => write(turn),
          catch: (cause) =>
            new ServerFailed({ backend: "gateway", reason: `its folder cannot be written: ${String(cause)}`, log: "" })
        })
    }
    return running
  })

/** `--backend gateway`. */
export const gateway: FrontKind = {
  name: "gateway",
  note: "our gateway",
  find: Effect.as(hasServer("gateway"), {
    name: "gateway",
    version: packageVersion(),
    settings: { configuration: "a folder of manifests" },
    open
  })
}
