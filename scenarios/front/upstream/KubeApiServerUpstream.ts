// A real kube-apiserver on a real etcd, as wharf assets finds them, as what stands behind a front.
// Owns their command lines. The store is not what is measured, so it does not wait for the disk.
import { answersOk, assetVersion, findAsset, freePort, type ServerFailed } from "#kind"
import { Effect, type Scope } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { BackendMissing } from "../../backends/Backend.ts"
import { healthy } from "../../backends/ServerProcess.ts"
import { openFrontProcess } from "../FrontProcess.ts"
import { clusterHost } from "../load/FrontEndpoint.ts"
import { connectionsTo, realCounts } from "./RealCounts.ts"
import { adminPair, letLoadIn, type RunFiles, writeRunFiles } from "./RunFiles.ts"
import type { RunningUpstream, UpstreamServices, UpstreamSettings } from "./Upstream.ts"

const program = (name: "etcd" | "kube-apiserver") =>
  findAsset(name).pipe(
    Effect.mapError(({ message }) => new BackendMissing({ backend: "kube-apiserver", reason: message }))
  )

const openEtcd = (directory: string, path: string) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const client = `http://127.0.0.1:${port}`
    const peer = `http://127.0.0.1:${yield* freePort}`
    const process = yield* openFrontProcess("etcd", "upstream", {
      backend: "etcd",
      command: path,
      args: [
        "--name=default",
        "--log-level=warn",
        "--unsafe-no-fsync",
        `--data-dir=${join(directory, "etcd")}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=default=${peer}`
      ],
      directory,
      ready: healthy({ host: "127.0.0.1", port })
    })
    return { client, process }
  })

const flagsOf = (store: string, port: number, directory: string, files: RunFiles): ReadonlyArray<string> => {
  const serviceKey = join(directory, "service.key")
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  writeFileSync(serviceKey, privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 })
  return [
    [`--etcd-servers=${store}`, `--secure-port=${port}`, "--bind-address=127.0.0.1"],
    [`--tls-cert-file=${files.serverCert}`, `--tls-private-key-file=${files.serverKey}`],
    [`--client-ca-file=${files.ca}`, `--token-auth-file=${files.tokens}`, "--authorization-mode=RBAC"],
    ["--service-account-issuer=https://kubernetes.default.svc", `--service-account-key-file=${serviceKey}`],
    [`--service-account-signing-key-file=${serviceKey}`, `--cert-dir=${join(directory, "certs")}`],
    ["--service-cluster-ip-range=10.0.0.0/16", "--endpoint-reconciler-type=none"],
    // What is measured is the front: nobody is queued or turned away behind it.
    ["--enable-priority-and-fairness=false", "--max-requests-inflight=0", "--max-mutating-requests-inflight=0"],
    ["--disable-admission-plugins=ServiceAccount"]
  ].flat()
}

/** Starts both; they live as long as the scope. */
export const openKubeApiServer = ({
  certificates,
  directory,
  front
}: UpstreamSettings): Effect.Effect<RunningUpstream, ServerFailed | BackendMissing, Scope.Scope | UpstreamServices> =>
  Effect.gen(function* () {
    const programs = { etcd: yield* program("etcd"), server: yield* program("kube-apiserver") }
    const folder = join(directory, "upstream")
    const files = writeRunFiles(front, certificates, folder)
    const etcd = yield* openEtcd(directory, programs.etcd.path)
    const port = yield* freePort
    const pair = adminPair(certificates)
    const { ca } = certificates
    const process = yield* openFrontProcess("upstream", "upstream", {
      backend: "kube-apiserver",
      command: programs.server.path,
      args: flagsOf(etcd.client, port, folder, files),
      directory,
      ready: answersOk({ port, path: "/readyz", ca, pair, host: clusterHost })
    })
    yield* letLoadIn(port, ca, certificates)
    return {
      version: (yield* assetVersion(programs.server)) ?? "unknown",
      ports: [port],
      processes: [process, etcd.process],
      ca,
      count: realCounts({ port, ca, pair }),
      connections: Effect.sync(() => connectionsTo(port)),
      keepsObjects: true
    }
  })
