// What a control plane of real programs needs in files before it starts: certificates, the key of service accounts, kubeconfigs.
// Owns the folder's contents; refuses to start anything. Everything is made anew for each control plane and belongs to it alone.
import { makeAuthority } from "#net"
import { generateKeyPairSync } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Paths of the files, and the texts that the starter needs itself. */
export interface PlaneFiles {
  /** PEM of the authority that signed everything here. */
  readonly ca: string
  readonly caFile: string
  readonly caKeyFile: string
  readonly serverCertFile: string
  readonly serverKeyFile: string
  readonly serviceAccountKeyFile: string
  /** A member of system:masters; for people and for clients of the run. */
  readonly kubeconfig: string
  /** PEM texts of the same user. */
  readonly admin: { readonly cert: string; readonly key: string }
  /** By component: the identities that Kubernetes' bootstrap roles know. */
  readonly kubeconfigOf: (component: PlanePart) => string
}

/** The parts of a control plane that ask the API server. */
export const planeParts = ["kube-controller-manager", "kube-scheduler"] as const
export type PlanePart = (typeof planeParts)[number]

const HOSTS = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "127.0.0.1", "10.96.0.1"]

const encoded = (text: string): string => Buffer.from(text).toString("base64")

/** A kubeconfig of one cluster and one user, who shows a certificate. */
export const kubeconfigText = (
  name: string,
  url: string,
  ca: string,
  user: { readonly cert: string; readonly key: string }
): string =>
  `apiVersion: v1
kind: Config
current-context: ${name}
clusters:
  - name: ${name}
    cluster: { server: "${url}", certificate-authority-data: ${encoded(ca)} }
contexts:
  - name: ${name}
    context: { cluster: ${name}, user: ${name} }
users:
  - name: ${name}
    user: { client-certificate-data: ${encoded(user.cert)}, client-key-data: ${encoded(user.key)} }
`

/** Writes all files into the folder, readable by their owner alone. */
export const writePlaneFiles = async (folder: string, name: string, port: number): Promise<PlaneFiles> => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const url = `https://127.0.0.1:${port}`
  const write = (file: string, text: string): string => {
    const path = join(folder, file)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const authority = await makeAuthority("CN=kubernetes")
  const server = await authority.sign({ subject: "CN=kube-apiserver", usage: "server", hosts: HOSTS })
  const login = async (file: string, subject: string): Promise<string> =>
    write(file, kubeconfigText(name, url, authority.cert, await authority.sign({ subject, usage: "client" })))
  const admin = await authority.sign({ subject: "O=system:masters, CN=kubernetes-admin", usage: "client" })
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const parts = {
    "kube-controller-manager": await login("controller-manager.conf", "CN=system:kube-controller-manager"),
    "kube-scheduler": await login("scheduler.conf", "CN=system:kube-scheduler")
  }
  return {
    ca: authority.cert,
    caFile: write("ca.crt", authority.cert),
    caKeyFile: write("ca.key", authority.key),
    serverCertFile: write("apiserver.crt", server.cert),
    serverKeyFile: write("apiserver.key", server.key),
    serviceAccountKeyFile: write("sa.key", privateKey.export({ type: "pkcs1", format: "pem" })),
    kubeconfig: write("kubeconfig", kubeconfigText(name, url, authority.cert, admin)),
    admin,
    kubeconfigOf: (component) => parts[component]
  }
}
