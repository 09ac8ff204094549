// The kubeconfig that a server hands to its administrator.
// Owns the text; refuses to read kubeconfigs, which #kube does, and to write files.
import type { KeyPair } from "./ClusterCertificatesAdapter.ts"
import { yamlText } from "./StatusBody.ts"

export interface KubeconfigOptions {
  /** Like "https://127.0.0.1:6443". */
  readonly server: string
  /** Of cluster, user and context. */
  readonly name: string
  /** Undefined for a server without TLS. */
  readonly certificates: { readonly ca: string; readonly admin: KeyPair } | undefined
  /** Of the context; the cluster's default when absent. */
  readonly namespace?: string
}

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64")

/** A kubeconfig with one context, the administrator's. */
export const kubeconfigText = ({ certificates, name, namespace, server }: KubeconfigOptions): string =>
  yamlText({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name,
        cluster: {
          server,
          ...(certificates === undefined ? {} : { "certificate-authority-data": base64(certificates.ca) })
        }
      }
    ],
    users: [
      {
        name,
        user:
          certificates === undefined
            ? {}
            : {
                "client-certificate-data": base64(certificates.admin.cert),
                "client-key-data": base64(certificates.admin.key)
              }
      }
    ],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
    "current-context": name
  })
