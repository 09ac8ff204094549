// The control plane as one simulated process: the API server on the store on the simulated disk, crashed and started together.
// Owns that life and the clients it hands out; refuses to decide which resources it serves.
import {
  type AdmissionPlugin,
  type ApiServer,
  type Definitions,
  inProcessClient,
  makeApiServer,
  storageKeyValue
} from "#apiserver"
import type { Client } from "#kube"
import type { Storage } from "#storage"
import type { SimDiskOptions } from "./faults/SimDisk.ts"
import { StoreNode } from "./store/StoreNode.ts"
import type { Kernel } from "./time/Kernel.ts"

export interface ApiNodeOptions {
  readonly kernel: Kernel
  /** Made anew at each start. */
  readonly definitions: () => Definitions
  readonly admission?: () => ReadonlyArray<AdmissionPlugin>
  readonly disk?: SimDiskOptions
  /** Milliseconds between compactions of the store's past; default: the API server's own. */
  readonly compactionMs?: number
}

const ADMIN = { name: "system:simulation", groups: ["system:masters"] }

export class ApiNode {
  readonly node: StoreNode
  /** Called at each start, once the server can be asked. */
  onStart: ((storage: Storage, client: Client) => void) | undefined
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
    const { admission, compactionMs, definitions } = this.options
    const { clockwork } = this.process
    const server = makeApiServer({
      keyValue: storageKeyValue(storage, clockwork),
      clockwork,
      definitions: definitions(),
      ...(admission === undefined ? {} : { admission: admission() }),
      ...(compactionMs === undefined ? {} : { compaction: { intervalMs: compactionMs } })
    })
    const client = inProcessClient(server, ADMIN)
    this.running = { server, client }
    this.onStart?.(storage, client)
  }
}
