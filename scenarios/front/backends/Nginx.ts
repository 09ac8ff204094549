// nginx as a front: one worker per instance, a reload as its change of configuration.
// Owns the processes; the configuration is NginxConfig.ts's. It is optional: without it a run goes on without it and says so.
import { answersOk, assetVersion, findAsset, freePort } from "#kind"
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { BackendMissing } from "../../backends/Backend.ts"
import { type FrontProcess, openFrontProcess } from "../FrontProcess.ts"
import { clusterHost } from "../load/FrontEndpoint.ts"
import { adminPair, writeRunFiles } from "../upstream/RunFiles.ts"
import type { FrontKind, FrontSettings, RunningFront } from "./FrontBackend.ts"
import { nginxConfig } from "./NginxConfig.ts"

interface Instance {
  readonly port: number
  readonly process: FrontProcess
  readonly write: (turn: number) => void
}

const openInstance = (settings: FrontSettings, path: string, index: number) =>
  Effect.gen(function* () {
    const { certificates, front, upstream } = settings
    const directory = join(settings.directory, `nginx-${index}`)
    const files = writeRunFiles(front, certificates, directory)
    mkdirSync(join(directory, "logs"), { recursive: true })
    const upstreamCa = join(directory, "upstream-ca.crt")
    writeFileSync(upstreamCa, upstream.ca)
    const port = yield* freePort
    const config = join(directory, "nginx.conf")
    const isRoot = process.getuid?.() === 0
    const write = (turn: number): void =>
      writeFileSync(
        config,
        nginxConfig({
          front,
          port,
          upstreamPorts: upstream.ports,
          directory,
          files: { ...files, upstreamCa },
          isRoot,
          turn
        })
      )
    write(0)
    const asked = { port, path: "/readyz", ca: certificates.ca, pair: adminPair(certificates), host: clusterHost }
    const child = yield* openFrontProcess(front.instances === 1 ? "nginx" : `nginx ${index + 1}`, "front", {
      backend: "nginx",
      command: path,
      forks: true,
      args: ["-p", directory, "-c", config, "-e", "stderr"],
      directory: settings.directory,
      ready: answersOk(asked)
    })
    const instance: Instance = { port, process: child, write }
    return instance
  })

/** Tells nginx to read its configuration; one that is being started anew reads it anyway. */
const reload = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) process.kill(pid, "SIGHUP")
  } catch {
    // It has just been killed.
  }
}

const open = (settings: FrontSettings, path: string) =>
  Effect.gen(function* () {
    const numbers = Array.from({ length: settings.front.instances }, (_, index) => index)
    const instances = yield* Effect.forEach(numbers, (index) => openInstance(settings, path, index))
    const swap = (turn: number) =>
      Effect.sync(() => {
        for (const { process: child, write } of instances) {
          write(turn)
          reload(child.pid())
        }
      })
    const running: RunningFront = {
      targets: instances.map(({ port }) => ({ host: "127.0.0.1", port })),
      processes: instances.map(({ process: child }) => child),
      ca: settings.certificates.ca,
      translates: false,
      tenants: [],
      swap
    }
    return running
  })

/** `--backend nginx`. */
export const nginx: FrontKind = {
  name: "nginx",
  note: "nginx with one worker, as a proxy with HTTP/2, TLS and client certificates",
  find: Effect.gen(function* () {
    const asset = yield* findAsset("nginx").pipe(
      Effect.mapError(({ message }) => new BackendMissing({ backend: "nginx", reason: message }))
    )
    return {
      name: "nginx",
      version: (yield* assetVersion(asset)) ?? "unknown",
      settings: { workers: "1", upstream: "HTTP/1.1, kept connections", tokens: "passed on unreviewed" },
      open: (settings) => open(settings, asset.path)
    }
  })
}
