// Our store on TiKV: on the test bed of TiKV's protocol, at rest or with regions that move all the time, or on any cluster by its
// placement driver's address. Owns the store's key prefix and which bed it stands on; OwnStore.ts's flags are the store's.
// What can be read off the test bed is our node's own part.
import { findAsset } from "#kind"
import { Effect } from "effect"
import { join } from "node:path"
import { packageRoot, packageVersion } from "../PackageRoot.ts"
import { type Backend, type BackendKind, BackendMissing, type ServerSettings } from "./Backend.ts"
import { openServer, storeFlags } from "./ServerProcess.ts"
import { openTestBed } from "./TikvTestBed.ts"

const PREFIX = "wharf/"
/** Where a store's keys lie among the cluster's: its prefix and its Key table. */
const KEYS_UNDER = `${PREFIX}1/registry/benchmark/`

const onCluster = (name: string, cluster: string, open: Backend["open"]): Backend => ({
  name,
  version: packageVersion(),
  durable: true,
  settings: { engine: "tikv", cluster },
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

const onTestBed = (name: string, stores: number, unrestUnder: string | undefined) =>
  Effect.gen(function* () {
    const programs = {
      stores: (yield* findAsset("tikv-testbed")).path,
      placementDriver: (yield* findAsset("pd-server")).path
    }
    const bed = unrestUnder === undefined ? { programs, stores } : { programs, stores, unrestUnder }
    return onCluster(name, `test bed of ${stores}, nothing replicated`, (settings) =>
      Effect.flatMap(openTestBed({ ...bed, settings }), (pd) => openStore(settings, pd, PREFIX))
    )
  }).pipe(Effect.mapError(({ message }) => new BackendMissing({ backend: name, reason: message })))

/** `--backend tikv` (the test bed) or `--backend tikv=PD-ADDRESS`, whose other keys are left alone. */
export const tikv: BackendKind = {
  name: "tikv",
  note: "our store on TiKV: its test bed, or tikv=HOST:PORT of a placement driver",
  find: (argument) =>
    argument === undefined
      ? onTestBed("tikv", 1, undefined)
      : Effect.succeed(
          onCluster("tikv", argument, (settings) => openStore(settings, argument, `wharf-run-${process.pid}/`))
        )
}

/** `--backend tikv-unrest`. */
export const tikvUnrest: BackendKind = {
  name: "tikv-unrest",
  note: "the same on the test bed, whose regions split, merge and change their leader all the time",
  find: () => onTestBed("tikv-unrest", 3, KEYS_UNDER)
}
