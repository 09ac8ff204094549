// Clusters that outlive the command that made them: one folder each, with what is needed to find, use and end them.
// Owns these folders and whether the keeper of each still lives; refuses to start and stop anything.
import { Effect, Option, Schema } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

/** What is known of a cluster that was brought up. */
export const KeptCluster = Schema.Struct({
  name: Schema.NonEmptyString,
  target: Schema.Literals(["process", "kind"]),
  store: Schema.String,
  nodes: Schema.Int,
  /** Process id of its keeper; a cluster in containers has none when it has no hollow nodes. */
  pid: Schema.NullOr(Schema.Int),
  kubeconfig: Schema.String,
  startedAt: Schema.String
})
export type KeptCluster = typeof KeptCluster.Type

const Text = Schema.fromJsonString(KeptCluster)
const NAME = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/

/** A cluster's name is not one, is taken, or belongs to nobody. */
export class ClusterRefused extends Schema.TaggedError<ClusterRefused>()("ClusterRefused", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** `${XDG_STATE_HOME:-~/.local/state}/wharf/clusters` */
const root = (): string => {
  const { XDG_STATE_HOME: state } = process.env
  return join(state === undefined || state === "" ? join(homedir(), ".local", "state") : state, "wharf", "clusters")
}

/** The folder of a cluster of this name. */
export const clusterFolder = (name: string): Effect.Effect<string, ClusterRefused> =>
  NAME.test(name)
    ? Effect.succeed(join(root(), name))
    : new ClusterRefused({
        reason: `"${name}": a cluster's name is up to 40 of a-z, 0-9 and -, with - in the middle only`
      })

const recordOf = (folder: string): string => join(folder, "cluster.json")

/** Writes down that a cluster is up; readers see all of it or nothing. */
export const keepCluster = (folder: string, cluster: KeptCluster): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = recordOf(folder)
  writeFileSync(`${file}.new`, `${JSON.stringify(cluster, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** The cluster of a folder; undefined where none is, or none is up yet. */
export const keptCluster = (folder: string): KeptCluster | undefined => {
  if (!existsSync(recordOf(folder))) return undefined
  return Option.getOrUndefined(Schema.decodeUnknownOption(Text)(readFileSync(recordOf(folder), "utf8")))
}

/** All clusters, by name. */
export const keptClusters = (): ReadonlyArray<KeptCluster> =>
  existsSync(root())
    ? readdirSync(root())
        .toSorted()
        .flatMap((name) => keptCluster(join(root(), name)) ?? [])
    : []

/** What a keeper said; beside the folder, so that it can be read when the keeper has cleaned up after itself. */
export const keeperLog = (folder: string): string => `${folder}.log`

/** Removes everything of a cluster. */
export const forgetCluster = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true })
  rmSync(keeperLog(folder), { force: true })
}

/** Whether the keeper of a cluster lives. */
export const isAlive = ({ pid }: KeptCluster): boolean => {
  if (pid === null) return true
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
