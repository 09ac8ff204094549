// Our store on TiKV: the test bed of TiKV's protocol started on this machine, or any cluster by its placement driver's address.
// Owns the test bed's start, its faults' address and the store's key prefix; OwnStore.ts's flags are the store's. The test bed
// replicates nothing and says nothing of TiKV's speed: what can be read off it is our node's own part.
import { findAsset, freePort, launch, stop } from "#kind"
import { Effect } from "effect"
import { get } from "node:http"
import { dirname, join } from "node:path"
import { packageRoot, packageVersion } from "../PackageRoot.ts"
import { type Backend, type BackendKind, BackendMissing, type ServerSettings } from "./Backend.ts"
import { openServer, storeFlags } from "./ServerProcess.ts"

/** Asks the test bed's admin port for its regions. */
const answers = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const request = get({ host: "127.0.0.1", port, path: "/regions", timeout: 1000 }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode === 200))
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => request.destroy())
  })

/** The test bed for the life of the scope; answers its placement driver's address. */
const openTestBed = (binary: string, pdServer: string, settings: ServerSettings) =>
  Effect.gen(function* () {
    const [pd, store, admin] = [yield* freePort, yield* freePort, yield* freePort].map((port) => `127.0.0.1:${port}`)
    const data = join(settings.dataDir, "tikv")
    const started = launch({
      backend: "tikv",
      command: binary,
      args: [
        `-pd=${pd}`,
        `-pd-server=${pdServer}`,
        `-tikv=${store}`,
        `-admin=${admin}`,
        `-data=${data}`,
        `-sync=${settings.fsync}`
      ],
      directory: dirname(settings.dataDir),
      ready: answers(Number(admin.split(":")[1]))
    })
    yield* Effect.acquireRelease(started, (child) => stop(child))
    return pd
  })

const onCluster = (settings: Readonly<Record<string, string>>, open: Backend["open"]): Backend => ({
  name: "tikv",
  version: packageVersion(),
  durable: true,
  settings: { engine: "tikv", ...settings },
  open
})

const openStore = (settings: ServerSettings, pd: string, prefix: string) =>
  openServer({
    backend: "tikv",
    command: join(packageRoot, "bin", "wharf"),
    dataDir: settings.dataDir,
    args: (endpoint, peerPort) => [
      "serve",
      "storage",
      "--backend=tikv",
      `--pd-endpoints=${pd}`,
      `--tikv-key-prefix=${prefix}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      ...storeFlags(settings, endpoint)
    ]
  })

/** `--backend tikv` (the test bed) or `--backend tikv=PD-ADDRESS`, whose other keys are left alone. */
export const tikv: BackendKind = {
  name: "tikv",
  note: "our store on TiKV: its test bed, or tikv=HOST:PORT of a placement driver",
  find: (argument) =>
    argument === undefined
      ? findAsset("tikv-testbed").pipe(
          Effect.andThen((testBed) =>
            Effect.map(findAsset("pd-server"), (pdServer) =>
              onCluster({ cluster: "test bed, nothing replicated" }, (settings) =>
                Effect.flatMap(openTestBed(testBed.path, pdServer.path, settings), (pd) =>
                  openStore(settings, pd, "wharf/")
                )
              )
            )
          ),
          Effect.mapError(({ message }) => new BackendMissing({ backend: "tikv", reason: message }))
        )
      : Effect.succeed(
          onCluster({ cluster: argument }, (settings) => openStore(settings, argument, `wharf-run-${process.pid}/`))
        )
}
