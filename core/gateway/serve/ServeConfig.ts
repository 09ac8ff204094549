// Where a serving gateway's configuration comes from: a control plane of its own, any API server, or a folder.
// Owns opening one of the three for the life of a scope; refuses to judge what they say.
import { Data, Effect } from "effect"
import {
  type AuditOptions,
  defaultServerOptions,
  inProcessClient,
  LOOPBACK,
  type RunningApiServer,
  serveApiServer,
  type ServerExtensions
} from "#apiserver"
import { type ApiFailure, type Client, httpClient, loadAccess, machineClockwork } from "#kube"
import type { ConfigStore } from "../config/ConfigStore.ts"
import { type ConfigSource, followApi } from "../source/ApiSource.ts"
import { controlDefinitions } from "../source/ControlDefinitions.ts"
import { followFolder, isFolder } from "../source/FolderAdapter.ts"

/** One of the three ways. */
export type ConfigChoice =
  | {
      readonly kind: "own"
      readonly host: string
      readonly port: number
      readonly dataDir: string | undefined
      /** Where its administrator's kubeconfig is written. */
      readonly kubeconfig: string | undefined
      readonly hosts: ReadonlyArray<string>
      readonly clientCaFile: string | undefined
      readonly tokenAuthFile: string | undefined
      readonly morePorts: ReadonlyArray<number>
      readonly audit: AuditOptions | undefined
    }
  | { readonly kind: "api"; readonly kubeconfig: string; readonly context: string | undefined }
  | { readonly kind: "folder"; readonly folder: string }

/** A configuration that is followed. */
export interface OpenConfig {
  readonly source: ConfigSource
  /** Whom statuses are written to; undefined for a folder. */
  readonly client: Client | undefined
  readonly control: RunningApiServer | undefined
  /** Where it comes from, for people. */
  readonly place: string
}

/** There is no folder of that name to read clusters from. */
export class ConfigFolderMissing extends Data.TaggedError("ConfigFolderMissing")<{ readonly folder: string }> {
  override get message(): string {
    return `--config-dir ${this.folder}: there is no such folder`
  }
}

export interface ConfigNeeds {
  readonly store: ConfigStore
  /** Checks, pages and metrics for a control plane of our own. */
  readonly extensions: Omit<ServerExtensions, "definitions">
  readonly say: (line: string) => void
}

const followed = (client: Client, { say, store }: ConfigNeeds) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      followApi({
        client,
        clockwork: machineClockwork,
        store,
        onFailure: (failure: ApiFailure) => say(`configuration: ${failure.message}`)
      })
    ),
    (source) => Effect.sync(source.stop)
  )

const openOwn = Effect.fnUntraced(function* (choice: Extract<ConfigChoice, { kind: "own" }>, needs: ConfigNeeds) {
  const { kind: _kind, ...given } = choice
  const control = yield* serveApiServer({
    ...defaultServerOptions,
    ...given,
    clusterName: "gateway",
    // Nothing runs here but configuration: no pods, so no tokens for them.
    disableAdmissionPlugins: ["ServiceAccount"],
    extensions: { ...needs.extensions, definitions: controlDefinitions() }
  })
  const client = inProcessClient(control.api, LOOPBACK)
  const open: OpenConfig = { source: yield* followed(client, needs), client, control, place: control.url }
  return open
})

const openApi = Effect.fnUntraced(function* (choice: Extract<ConfigChoice, { kind: "api" }>, needs: ConfigNeeds) {
  const { context, kubeconfig } = choice
  const access = yield* loadAccess({ kubeconfig, ...(context === undefined ? {} : { context }) })
  const client = yield* httpClient({ access, userAgent: "kube-gateway" })
  const open: OpenConfig = {
    source: yield* followed(client, needs),
    client,
    control: undefined,
    place: access.cluster.server
  }
  return open
})

const openFolder = Effect.fnUntraced(function* (
  choice: Extract<ConfigChoice, { kind: "folder" }>,
  { say, store }: ConfigNeeds
) {
  // One that goes later keeps what it said; one that never was is a slip of the pen.
  if (!isFolder(choice.folder)) return yield* new ConfigFolderMissing({ folder: choice.folder })
  const source = yield* Effect.acquireRelease(
    Effect.sync(() =>
      followFolder({
        folder: choice.folder,
        clockwork: machineClockwork,
        store,
        onProblem: (file, message) => say(`${file}: ${message}`)
      })
    ),
    (followed) => Effect.sync(followed.stop)
  )
  const open: OpenConfig = { source, client: undefined, control: undefined, place: choice.folder }
  return open
})

/** Opens the configuration that was chosen. */
export const openConfig = Effect.fn("gateway.config")(function* (choice: ConfigChoice, needs: ConfigNeeds) {
  switch (choice.kind) {
    case "own":
      return yield* openOwn(choice, needs)
    case "api":
      return yield* openApi(choice, needs)
    case "folder":
      return yield* openFolder(choice, needs)
  }
})
