// The control plane as one simulated process: the API server on the store on the simulated disk, crashed and started together.
// Owns that life and the clients it hands out; refuses to decide which resources it serves.
import {
  type AdmissionPlugin,
  type ApiServer,
  type BootstrapOptions,
  type ControlPlane,
  type ControlPlaneOptions,
  type Definition,
  type Definitions,
  inProcessClient,
  makeApiServer,
  makeControlPlane,
  storageKeyValue
} from "#apiserver"
import type { Client } from "#kube"
import type { Storage } from "#storage"
import type { SimDiskOptions } from "./faults/SimDisk.ts"
import { StoreNode } from "./store/StoreNode.ts"
import type { Kernel } from "./time/Kernel.ts"

/** A server of some resources and nothing around them: for worlds that look at one thing. */
export interface BareServer {
  /** Made anew at each start. */
  readonly definitions: () => Definitions
  readonly admission?: () => ReadonlyArray<AdmissionPlugin>
}

/** A control plane as a real cluster has it: all resources, gates, and what every cluster begins with. */
export interface WholeServer {
  readonly plane: Omit<ControlPlaneOptions, "keyValue" | "clockwork" | "compaction">
  readonly bootstrap: BootstrapOptions
  /** Resources beside the built-in ones, as an aggregated server would add them. */
  readonly aggregated?: ReadonlyArray<Definition>
}

export interface ApiNodeOptions {
  readonly kernel: Kernel
  readonly server: BareServer | WholeServer
  readonly disk?: SimDiskOptions
  /** Milliseconds between compactions of the store's past; default: the API server's own. */
  readonly compactionMs?: number
}

const ADMIN = { name: "system:simulation", groups: ["system:masters"] }

type Parts = Pick<ControlPlaneOptions, "keyValue" | "clockwork" | "compaction">

/** The server, and what is to be done before it is ready. */
const planeOf = (server: ApiNodeOptions["server"], parts: Parts): Pick<ControlPlane, "api" | "begin"> => {
  if ("plane" in server) {
    const plane = makeControlPlane({ ...parts, ...server.plane })
    for (const definition of server.aggregated ?? []) plane.api.definitions.register(definition)
    return plane
  }
  const { admission, definitions } = server
  const api = makeApiServer({ ...parts, definitions: definitions(), ...(admission && { admission: admission() }) })
  return { api, begin: (_options, done) => done([]) }
}

const NOTHING: BootstrapOptions = { serviceIp: "", address: "", port: 0 }

export class ApiNode {
  readonly node: StoreNode
  /** Called at each start, once the server can be asked. */
  onStart: ((storage: Storage, client: Client) => void) | undefined
  /** Called at each start, once what every cluster begins with is there; answers what could not be written. */
  onReady: ((failures: ReadonlyArray<string>) => void) | undefined
  private readonly options: ApiNodeOptions
  private running: { readonly server: ApiServer; readonly client: Client } | undefined

  constructor(options: ApiNodeOptions) {
    this.options = options
    this.node = new StoreNode(options.kernel, { name: "apiserver", ...(options.disk && { disk: options.disk }) })
    this.node.onStart = (storage) => this.serve(storage)
  }

  get process() {
    return this.node.process
  }

  get server(): ApiServer | undefined {
    return this.running?.server
  }

  /** The client inside the server's process; undefined while it is down. */
  readonly local = (): Client | undefined => this.running?.client

  start(): void {
    this.node.start()
  }

  crash(): void {
    this.running = undefined
    this.node.crash()
  }

  private serve(storage: Storage): void {
    const { compactionMs, server } = this.options
    const { clockwork } = this.process
    const plane = planeOf(server, {
      keyValue: storageKeyValue(storage, clockwork),
      clockwork,
      ...(compactionMs === undefined ? {} : { compaction: { intervalMs: compactionMs } })
    })
    const client = inProcessClient(plane.api, ADMIN)
    this.running = { server: plane.api, client }
    this.onStart?.(storage, client)
    plane.begin("plane" in server ? server.bootstrap : NOTHING, (failures) =>
      this.onReady?.(failures.map(({ message }) => message))
    )
  }
}
