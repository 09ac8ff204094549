// Where kubeconfigs are: files that KUBECONFIG names, ~/.kube/config, or the files of a pod's service account.
// Owns reading them; their meaning is Kubeconfig.ts's.
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import {
  type AccessChoice,
  anonymous,
  chooseAccess,
  type KubeAccess,
  type Kubeconfig,
  KubeconfigInvalid,
  mergeKubeconfigs,
  parseKubeconfig
} from "./Kubeconfig.ts"

type Environment = Readonly<Record<string, string | undefined>>

export interface LoadOptions extends AccessChoice {
  /** One file, which must exist, instead of those of the environment. */
  readonly kubeconfig?: string
  /** Default: the process's. */
  readonly environment?: Environment
}

const FILES_MAX = 64

const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

const readText = (file: string): string | NodeJS.ErrnoException => {
  try {
    return readFileSync(file, "utf8")
  } catch (problem) {
    return problem as NodeJS.ErrnoException
  }
}

const pathsOf = ({ environment = process.env, kubeconfig }: LoadOptions): ReadonlyArray<string> => {
  if (kubeconfig !== undefined) return [kubeconfig]
  const listed = (environment["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "")
  return listed.length > 0 ? [...new Set(listed)].slice(0, FILES_MAX) : [join(homedir(), ".kube", "config")]
}

const loaded = (options: LoadOptions): KubeAccess | KubeconfigInvalid => {
  const paths = pathsOf(options)
  const configs: Array<Kubeconfig> = []
  for (const path of paths) {
    const text = readText(path)
    if (typeof text === "string") {
      const config = parseKubeconfig(text, path)
      if (config instanceof KubeconfigInvalid) return config
      configs.push(config)
    } else if (text.code !== "ENOENT" || options.kubeconfig !== undefined) {
      return new KubeconfigInvalid(`${path}: cannot be read (${text.code ?? "unknown"})`)
    }
  }
  if (configs.length === 0) {
    return inCluster(options.environment ?? process.env) ?? new KubeconfigInvalid(`no kubeconfig: ${paths.join(", ")}`)
  }
  return chooseAccess(mergeKubeconfigs(configs), paths.join(delimiter), options)
}

/** The access of a pod by its service account; undefined outside a cluster. */
const inCluster = (environment: Environment): KubeAccess | undefined => {
  const host = environment["KUBERNETES_SERVICE_HOST"] ?? ""
  const port = environment["KUBERNETES_SERVICE_PORT"] ?? ""
  if (host === "" || port === "") return undefined
  const namespace = readText(join(serviceAccountFolder, "namespace"))
  return {
    cluster: {
      server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
      tlsServerName: undefined,
      insecureSkipTlsVerify: false,
      certificateAuthority: { file: join(serviceAccountFolder, "ca.crt") },
      proxyUrl: undefined
    },
    user: { ...anonymous, tokenFile: join(serviceAccountFolder, "token") },
    namespace: typeof namespace === "string" ? namespace.trim() : ""
  }
}

/** The access that kubectl would use: a file, those of KUBECONFIG, ~/.kube/config, or the pod's service account. */
export const loadAccess = (options: LoadOptions = {}): Effect.Effect<KubeAccess, KubeconfigInvalid> =>
  Effect.suspend(() => {
    const access = loaded(options)
    return access instanceof KubeconfigInvalid ? Effect.fail(access) : Effect.succeed(access)
  })
