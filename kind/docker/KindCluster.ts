// Clusters in containers, by the kind command: created for a scope, loaded with images, deleted with it.
// Owns the calls and what is said when kind, docker or an image is not there; refuses to know what runs in the cluster.
import { Effect, FileSystem, Path, Schema, type Scope, Stream } from "effect"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { kindConfig, type KindConfigOptions } from "./KindConfig.ts"

/** kind cannot be used; the message is one line, with the way to get what is missing. */
export class KindUnavailable extends Schema.TaggedError<KindUnavailable>()("KindUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** What calling kind may need of the platform. */
export type KindServices = FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner

/** A kind cluster that is ready. */
export interface KindCluster {
  /** Path of a kubeconfig of its own: the user's is left alone. */
  readonly kubeconfig: string
  readonly name: string
}

const WAIT = "180s"
const SAID_MAX = 400

const GET_KIND = "go install sigs.k8s.io/kind@latest, or https://kind.sigs.k8s.io/docs/user/quick-start"
const GET_DOCKER = "https://docs.docker.com/engine/install, or set KIND_EXPERIMENTAL_PROVIDER=podman"

/** Runs a command and answers what it wrote; the error is its last lines. */
const run = (command: string, args: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* ChildProcess.make(command, args, { stdin: "ignore", extendEnv: true })
      const [out, said] = yield* Effect.all(
        [
          child.stdout.pipe(Stream.decodeText(), Stream.mkString),
          child.stderr.pipe(Stream.decodeText(), Stream.mkString)
        ],
        { concurrency: 2 }
      )
      const code = yield* child.exitCode
      return { code: Number(code), out, said: said.trim() }
    })
  )

const lastOf = (said: string): string => said.slice(-SAID_MAX).replaceAll(/\s*\n\s*/g, "; ")

/** Whether a program starts at all. */
const isThere = (command: string, args: ReadonlyArray<string>): Effect.Effect<boolean, never, KindServices> =>
  run(command, args).pipe(
    Effect.map(({ code }) => code === 0),
    Effect.orElseSucceed(() => false)
  )

/** Fails with one line when kind, or the containers that it needs, are not there. */
export const needKind: Effect.Effect<void, KindUnavailable, KindServices> = Effect.gen(function* () {
  if (!(yield* isThere("kind", ["version"])))
    return yield* new KindUnavailable({ reason: `kind was not found on PATH; get it with: ${GET_KIND}` })
  if (!(yield* isThere("kind", ["get", "clusters"])))
    return yield* new KindUnavailable({
      reason: `kind finds no containers: docker does not answer; get it with: ${GET_DOCKER}`
    })
})

const failed = (what: string, said: string, image: string | undefined): KindUnavailable => {
  const isImage = /pull|manifest|not found.*image|failed to get.*image/i.test(said)
  const hint = isImage && image !== undefined ? `; get the image with: docker pull ${image}` : ""
  return new KindUnavailable({ reason: `${what}: ${lastOf(said)}${hint}` })
}

const mustRun = (args: ReadonlyArray<string>, what: string, image?: string) =>
  run("kind", args).pipe(
    Effect.mapError((cause) => new KindUnavailable({ reason: `${what}: ${cause.message}` })),
    Effect.flatMap(({ code, out, said }) => (code === 0 ? Effect.succeed(out) : failed(what, said, image)))
  )

/** Names of the clusters that kind knows. */
export const kindClusters: Effect.Effect<ReadonlyArray<string>, KindUnavailable, KindServices> = mustRun(
  ["get", "clusters"],
  "kind cannot list clusters"
).pipe(Effect.map((text) => text.split("\n").filter((line) => line !== "")))

/** Deletes a cluster; one that is not there is no failure. */
export const deleteKindCluster = (name: string): Effect.Effect<void, KindUnavailable, KindServices> =>
  mustRun(["delete", "cluster", "--name", name], `kind cannot delete ${name}`).pipe(Effect.asVoid)

/** Puts images of the host's docker into every node. */
export const loadImages = (
  name: string,
  images: ReadonlyArray<string>
): Effect.Effect<void, KindUnavailable, KindServices> =>
  Effect.forEach(
    images,
    (image) => mustRun(["load", "docker-image", image, "--name", name], `kind cannot load ${image}`, image),
    { discard: true }
  )

/** Creates a cluster in a folder of its own and deletes it when the scope closes, also by interruption. */
export const openKindCluster = (
  options: KindConfigOptions,
  directory: string
): Effect.Effect<KindCluster, KindUnavailable, KindServices | Scope.Scope> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { image, name } = options
    yield* needKind
    if ((yield* kindClusters).includes(name))
      return yield* new KindUnavailable({
        reason: `a kind cluster named ${name} is there already; it is not ours to use`
      })
    const [config, kubeconfig] = [paths.join(directory, "kind.yaml"), paths.join(directory, "kubeconfig")]
    yield* files.makeDirectory(directory, { recursive: true }).pipe(
      Effect.andThen(files.writeFileString(config, kindConfig(options))),
      Effect.mapError(({ message }) => new KindUnavailable({ reason: message }))
    )
    // What was half made when the creation failed or was interrupted is deleted as well.
    yield* Effect.addFinalizer(() => Effect.ignore(deleteKindCluster(name)))
    const args = ["create", "cluster", "--name", name, "--config", config, "--kubeconfig", kubeconfig, "--wait", WAIT]
    yield* mustRun(args, `kind cannot create ${name}`, image)
    return { kubeconfig, name }
  })

/** The node in which the control plane of a cluster runs. */
const controlPlaneOf = (name: string): string => `${name}-control-plane`

/** Sends a signal to the API server inside the control plane's container; the kubelet there starts it again when it ends. */
export const signalApiServer = (
  name: string,
  signal: "KILL" | "STOP" | "CONT"
): Effect.Effect<void, never, KindServices> =>
  Effect.ignore(run("docker", ["exec", controlPlaneOf(name), "pkill", `-${signal}`, "-x", "kube-apiserver"]))

/** The host's address as containers see it. */
export const hostForContainers: Effect.Effect<string, KindUnavailable, KindServices> = run("docker", [
  "network",
  "inspect",
  "bridge",
  "--format",
  "{{(index .IPAM.Config 0).Gateway}}"
]).pipe(
  Effect.mapError(({ message }) => new KindUnavailable({ reason: `docker does not answer: ${message}` })),
  Effect.flatMap(({ code, out, said }) =>
    code === 0 && out.trim() !== ""
      ? Effect.succeed(out.trim())
      : new KindUnavailable({ reason: `docker does not say how containers reach this host: ${lastOf(said)}` })
  )
)
