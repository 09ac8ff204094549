// The configuration of a kind cluster (kind.x-k8s.io/v1alpha4) with what kubeadm is to change (kubeadm.k8s.io/v1beta4): nodes, ports, an
// external store in etcd's place, feature gates, an audit policy and its webhook.
// Owns that text; refuses to run anything. Source of the fields: kind.sigs.k8s.io/docs/user/configuration.
import { stringify } from "yaml"

/** A port of a node that the host listens on. */
export interface KindPort {
  readonly containerPort: number
  readonly hostPort: number
  /** Default 127.0.0.1. */
  readonly listenAddress?: string
}

export interface KindConfigOptions {
  readonly name: string
  /** Default 1 and 0. */
  readonly controlPlanes?: number
  readonly workers?: number
  /** Of the nodes, like kindest/node:v1.37.0; default: what kind itself prefers. */
  readonly image?: string
  readonly ports?: ReadonlyArray<KindPort>
  readonly featureGates?: Readonly<Record<string, boolean>>
  /** URLs of a store outside, as containers reach it, in the place of the etcd in each control plane. */
  readonly storeUrls?: ReadonlyArray<string>
  /** A folder of the host with audit-policy.yaml and, where there is a webhook, audit-webhook.yaml. */
  readonly audit?: { readonly folder: string; readonly hasWebhook: boolean }
}

/** Where the audit files lie in a node and in the API server's pod. */
const AUDIT_FOLDER = "/etc/kubernetes/wharf-audit"

const auditArguments = (hasWebhook: boolean) => [
  { name: "audit-policy-file", value: `${AUDIT_FOLDER}/audit-policy.yaml` },
  ...(hasWebhook ? [{ name: "audit-webhook-config-file", value: `${AUDIT_FOLDER}/audit-webhook.yaml` }] : [])
]

const kubeadmPatch = ({ audit, storeUrls }: KindConfigOptions) => ({
  kind: "ClusterConfiguration",
  apiVersion: "kubeadm.k8s.io/v1beta4",
  ...(storeUrls === undefined ? {} : { etcd: { external: { endpoints: storeUrls } } }),
  ...(audit === undefined
    ? {}
    : {
        apiServer: {
          extraArgs: auditArguments(audit.hasWebhook),
          extraVolumes: [
            {
              name: "wharf-audit",
              hostPath: AUDIT_FOLDER,
              mountPath: AUDIT_FOLDER,
              readOnly: true,
              pathType: "Directory"
            }
          ]
        }
      })
})

/** The configuration as YAML. */
export const kindConfig = (options: KindConfigOptions): string => {
  const { audit, controlPlanes = 1, featureGates, image, name, ports = [], storeUrls, workers = 0 } = options
  const common = image === undefined ? {} : { image }
  const patches = storeUrls === undefined && audit === undefined ? [] : [stringify(kubeadmPatch(options))]
  const controlPlane = (at: number) => ({
    role: "control-plane",
    ...common,
    ...(at === 0 && ports.length > 0
      ? { extraPortMappings: ports.map((port) => ({ listenAddress: "127.0.0.1", ...port })) }
      : {}),
    ...(audit === undefined
      ? {}
      : { extraMounts: [{ hostPath: audit.folder, containerPath: AUDIT_FOLDER, readOnly: true }] }),
    ...(patches.length === 0 ? {} : { kubeadmConfigPatches: patches })
  })
  return stringify({
    kind: "Cluster",
    apiVersion: "kind.x-k8s.io/v1alpha4",
    name,
    ...(featureGates === undefined ? {} : { featureGates }),
    nodes: [
      ...Array.from({ length: controlPlanes }, (_, at) => controlPlane(at)),
      ...Array.from({ length: workers }, () => ({ role: "worker", ...common }))
    ]
  })
}
