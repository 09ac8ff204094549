// A real kube-apiserver on etcd with a kubeconfig, and on it either the real kube-controller-manager or our own controllers, so that one
// script can be played to both.
// Owns these processes; refuses to play and to judge.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { type Client, httpClient, type KubeconfigInvalid, loadAccess, machineClockwork } from "#kube"
import { type NamedController, startControllers } from "#sim"
import { startApiServer } from "../../kube/RealApiServer.ts"

export type Programs = Parameters<typeof startApiServer>[0] & { readonly "kube-controller-manager": string }

export interface RealControlPlane {
  readonly client: Client
  readonly kubeconfig: string
  /** What failed in our controllers' syncs, in order. */
  readonly failures: ReadonlyArray<string>
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

const writeKubeconfig = (folder: string, url: string, token: string): string => {
  const file = join(folder, "kubeconfig")
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "real",
    clusters: [{ name: "real", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    contexts: [{ name: "real", context: { cluster: "real", user: "admin" } }],
    users: [{ name: "admin", user: { token } }]
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

/** A control plane without any controller; everything ends with the scope. */
export const realControlPlane = (programs: Programs): Effect.Effect<RealControlPlane, KubeconfigInvalid, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = mkdtempSync(join(tmpdir(), "control-plane-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => startApiServer(programs)),
      ({ stop }) => Effect.promise(stop)
    )
    const kubeconfig = writeKubeconfig(folder, server.url, server.token)
    const client = yield* httpClient({ access: yield* loadAccess({ kubeconfig }) })
    return { client, kubeconfig, failures: [] }
  })

/** Starts the real kube-controller-manager with these controllers and flags. */
export const withRealControllers = (
  { kubeconfig }: Pick<RealControlPlane, "kubeconfig">,
  program: string,
  controllers: ReadonlyArray<string>,
  flags: ReadonlyArray<string> = []
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(
          program,
          [
            `--kubeconfig=${kubeconfig}`,
            "--leader-elect=false",
            "--secure-port=0",
            // Its usual 20 calls a second would be waited for longer than anything it does.
            "--kube-api-qps=500",
            "--kube-api-burst=500",
            `--controllers=${controllers.join(",")}`,
            ...flags
          ],
          { stdio: "ignore" }
        )
      ),
      (child) => Effect.promise(() => ended(child))
    )
  )

/** Starts our own controllers. */
export const withOurControllers = (
  plane: RealControlPlane,
  controllers: ReadonlyArray<NamedController>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() =>
        startControllers(
          {
            controllers,
            onFailure: (controller, key, { message }) =>
              (plane.failures as Array<string>).push(`${controller} ${key}: ${message}`)
          },
          { client: plane.client, clockwork: machineClockwork }
        )
      ),
      (stop) => Effect.sync(stop)
    )
  )
