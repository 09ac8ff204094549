// A real cluster for a front to stand before: etcd, one or more kube-apiservers 1.37 on fixed ports that can be killed and started again,
// the real kube-controller-manager, two hollow nodes whose kubelet is kwok, and certificates for everyone.
// Owns processes, ports and files; refuses to know who stands before it.
import type { ChildProcess } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { keepPods } from "../apiserver/kubectl/PodKeeper.ts"
import { startControllers, until } from "../apiserver/kubectl/Rig.ts"
import { freePort } from "../FreePort.ts"
import { end, type RealApiServer, start } from "../kube/RealApiServer.ts"
import { type Authority, makeAuthority } from "../net/Certificates.ts"
import { type Access, asking, kubeconfigOf } from "./Access.ts"
import { type Kubelet, startKubelet } from "./Kubelet.ts"

export interface UpstreamPrograms {
  readonly etcd: string
  readonly "kube-apiserver": string
  readonly "kube-controller-manager": string
  readonly kwok: string
}

/** The programs, for `describeWith`. */
export const UPSTREAM_PROGRAMS = ["etcd", "kube-apiserver", "kube-controller-manager", "kwok"] as const

export interface Endpoint {
  readonly url: string
  readonly port: number
  /** SIGKILL, or the signal that is named. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
  /** Starts it again on its port; done when it is ready. */
  readonly restart: () => Promise<void>
}

export interface Upstream {
  readonly name: string
  readonly folder: string
  /** Signs serving and client certificates. */
  readonly authority: Authority
  /** Signs front proxies' certificates. */
  readonly frontProxies: Authority
  readonly endpoints: ReadonlyArray<Endpoint>
  /** Of CN=owner, O=owners, who may do everything, directly at the first endpoint. */
  readonly owner: Access
  /** Of CN=root, O=system:masters. */
  readonly root: Access
  /** A client certificate signed by the cluster's authority; the subject as "name/O=group". */
  readonly certificate: (subject: string) => { readonly certFile: string; readonly keyFile: string }
  /** Calls as root. */
  readonly call: RealApiServer["call"]
  readonly kubelet: Kubelet | undefined
  readonly stop: () => Promise<void>
}

export interface UpstreamOptions {
  readonly name?: string
  readonly endpoints?: number
  /** Flags of kube-apiserver beside the usual ones. */
  readonly flags?: ReadonlyArray<string>
  /** A policy by which requests are recorded in audit.log of the folder. */
  readonly audit?: object
  /** Without controllers, nodes and kubelet: for those who only need the API. */
  readonly bare?: boolean
}

/** Static tokens of every upstream: name and group of each by its token. */
export const TOKENS = {
  "token-of-owner": ["owner", "owners"],
  "token-of-alice": ["alice", "team"],
  "token-of-bob": ["bob", "team"]
} as const

const JSON_BODY = { "content-type": "application/json" }

const writeFiles = (folder: string): void => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  writeFileSync(join(folder, "sa.key"), privateKey.export({ type: "pkcs1", format: "pem" }))
  const lines = Object.entries(TOKENS).map(([token, [user, group]]) => `${token},${user},uid-of-${user},"${group}"\n`)
  writeFileSync(join(folder, "tokens.csv"), lines.join(""))
}

/** A caller in the form that the other rigs have. */
export const callOf = (access: Access): { readonly call: RealApiServer["call"]; readonly close: () => void } => {
  const { ask, close } = asking(access)
  const call: RealApiServer["call"] = async (method, path, options = {}) => {
    const reply = await ask(path, { method, ...options })
    return { code: reply.code, headers: Object.fromEntries(reply.headers), body: reply.body.toString("utf8") }
  }
  return { call, close }
}

interface Files {
  readonly folder: string
  readonly store: string
  readonly ca: string
  readonly frontProxyCa: string
  readonly serving: { readonly certFile: string; readonly keyFile: string }
  readonly toKubelet: { readonly certFile: string; readonly keyFile: string }
}

const serverFlags = (port: number, files: Files): ReadonlyArray<ReadonlyArray<string>> => {
  const key = join(files.folder, "sa.key")
  return [
    [`--etcd-servers=${files.store}`, `--secure-port=${port}`, "--bind-address=127.0.0.1"],
    [`--tls-cert-file=${files.serving.certFile}`, `--tls-private-key-file=${files.serving.keyFile}`],
    [`--client-ca-file=${files.ca}`, `--token-auth-file=${join(files.folder, "tokens.csv")}`],
    [`--requestheader-client-ca-file=${files.frontProxyCa}`, "--requestheader-username-headers=X-Remote-User"],
    ["--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-"],
    [`--kubelet-client-certificate=${files.toKubelet.certFile}`, `--kubelet-client-key=${files.toKubelet.keyFile}`],
    ["--service-account-issuer=https://kubernetes.default.svc", `--service-account-key-file=${key}`],
    [`--service-account-signing-key-file=${key}`, "--authorization-mode=RBAC", "--allow-privileged"],
    ["--service-cluster-ip-range=10.0.0.0/16", "--endpoint-reconciler-type=none", "--enable-bootstrap-token-auth"]
  ]
}

const makeEndpoint = async (
  program: string,
  files: Files,
  flags: ReadonlyArray<string>,
  root: Omit<Access, "url">
): Promise<Endpoint> => {
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const { call } = callOf({ ...root, url })
  let child: ChildProcess | undefined
  const restart = async (): Promise<void> => {
    child = start(program, [...serverFlags(port, files), flags])
    await until(`kube-apiserver on ${port}`, async () => {
      if (child?.exitCode !== null && child?.exitCode !== undefined)
        throw new Error("kube-apiserver ended at its start")
      return (await call("GET", "/readyz").catch(() => undefined))?.code === 200
    })
  }
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    if (child === undefined) return
    const gone = new Promise((resolve) => child?.once("exit", resolve))
    if (signal === "SIGKILL") return end(child)
    child.kill(signal)
    await gone
  }
  return { url, port, kill, restart }
}

/** The people of a rig: owners may do everything, the front's own identity too. */
const appointOwners = async (call: RealApiServer["call"]): Promise<void> => {
  const body = JSON.stringify({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "owners" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "owners" }]
  })
  await until("the owners' binding", async () => {
    const { code } = await call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      body,
      headers: JSON_BODY
    })
    return code === 201 || code === 409
  })
}

/** What a cluster needs beside its API. */
const startParts = async (
  programs: UpstreamPrograms,
  options: { readonly folder: string; readonly config: string; readonly caFile: string } & Pick<Files, "serving"> & {
      readonly call: RealApiServer["call"]
    }
): Promise<{ readonly kubelet: Kubelet; readonly stop: () => Promise<void> }> => {
  const { caFile, call, config, folder, serving } = options
  const controllers = startControllers(programs["kube-controller-manager"], config)
  const kubelet = await startKubelet(programs.kwok, { folder, kubeconfig: config, caFile, ...serving })
  const keeper = await keepPods(call, kubelet.address)
  await until("the default service account", async () => {
    return (await call("GET", "/api/v1/namespaces/default/serviceaccounts/default")).code === 200
  })
  const stop = async (): Promise<void> => {
    keeper.stop()
    await Promise.all([controllers.stop(), kubelet.stop()])
  }
  return { kubelet, stop }
}

const auditFlags = (folder: string, policy: object | undefined): ReadonlyArray<string> => {
  if (policy === undefined) return []
  const file = join(folder, "audit.json")
  writeFileSync(file, JSON.stringify(policy))
  return [`--audit-policy-file=${file}`, `--audit-log-path=${join(folder, "audit.log")}`]
}

const startStore = async (program: string, folder: string): Promise<readonly [ChildProcess, url: string]> => {
  const store = `http://127.0.0.1:${await freePort()}`
  const peers = `http://127.0.0.1:${await freePort()}`
  const child = start(program, [
    [`--data-dir=${join(folder, "etcd")}`, `--listen-client-urls=${store}`, `--advertise-client-urls=${store}`],
    [`--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`, `--initial-cluster=default=${peers}`],
    ["--unsafe-no-fsync"]
  ])
  return [child, store]
}

/** Starts it all; ready when a pod could run. */
export const startUpstream = async (programs: UpstreamPrograms, options: UpstreamOptions = {}): Promise<Upstream> => {
  const { audit, bare = false, endpoints: count = 1, flags = [], name = "c1.example" } = options
  const folder = mkdtempSync(join(tmpdir(), "upstream-"))
  writeFiles(folder)
  const [authority, frontProxies] = [makeAuthority(), makeAuthority()]
  const [etcd, store] = await startStore(programs.etcd, folder)
  const files: Files = {
    folder,
    store,
    ca: authority.caFile,
    frontProxyCa: frontProxies.caFile,
    serving: authority.sign("serving", name, { names: [name] }),
    toKubelet: authority.sign("to-kubelet", "kube-apiserver/O=system:masters")
  }
  let signed = 0
  const certificate: Upstream["certificate"] = (subject) => authority.sign(`client-${signed++}`, subject)
  const known = { caFile: authority.caFile }
  const rootFiles = { ...known, ...certificate("root/O=system:masters") }
  const endpoints: Array<Endpoint> = []
  const stopping: Array<() => Promise<void>> = []
  const stop = async (): Promise<void> => {
    for (const one of stopping.toReversed()) await one()
    await Promise.all([...endpoints.map((one) => one.kill()), end(etcd)])
    for (const one of [folder, authority.folder, frontProxies.folder]) rmSync(one, { recursive: true, force: true })
  }
  try {
    for (let at = 0; at < count; at++) {
      const endpoint = await makeEndpoint(
        programs["kube-apiserver"],
        files,
        [...flags, ...auditFlags(folder, audit)],
        rootFiles
      )
      endpoints.push(endpoint)
      await endpoint.restart()
    }
    const url = endpoints[0]?.url ?? ""
    const root = { ...rootFiles, url }
    const owner = { ...known, ...certificate("owner/O=owners"), url }
    const { call, close } = callOf(root)
    stopping.push(async () => close())
    await appointOwners(call)
    const config = join(folder, "root.conf")
    writeFileSync(config, kubeconfigOf(root))
    mkdirSync(join(folder, "work"))
    const parts = bare
      ? undefined
      : await startParts(programs, { folder, config, call, ...known, serving: files.serving })
    if (parts !== undefined) stopping.push(parts.stop)
    return {
      name,
      folder,
      authority,
      frontProxies,
      endpoints,
      owner,
      root,
      certificate,
      call,
      kubelet: parts?.kubelet,
      stop
    }
  } catch (failure) {
    await stop()
    throw failure
  }
}
