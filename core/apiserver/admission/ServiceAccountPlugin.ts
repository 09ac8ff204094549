// Every pod runs as a service account: the default one where none is named, its token mounted where nothing else is.
// Owns these additions to pods and the limits of mirror pods; tokens themselves are issued by serviceaccounts/token.
import { ApiFailure, Failures, gvr, type Json, type KubeObject, randomSuffix } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api } from "../Api.ts"
import { readObject } from "../Loopback.ts"
import { fieldsOf, itemsOf, textOf } from "../resources/Fields.ts"
import { type Fields, isAbout, refusal, withSpec } from "./Plugin.ts"

const MIRROR = "kubernetes.io/config.mirror"
const ENFORCE_SECRETS = "kubernetes.io/enforce-mountable-secrets"
const VOLUME = "kube-api-access-"
const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
const TOKEN_SECONDS = 3607
/** How often, and how many milliseconds apart, the default account is looked for before its controller has made it. */
const LOOKS = 10
const LOOK_AGAIN_MS = 100

const tokenVolume = (name: string): Json => ({
  name,
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { path: "token", expirationSeconds: TOKEN_SECONDS } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] }
      }
    ]
  }
})

const automounts = (account: KubeObject, spec: Fields): boolean =>
  (spec["automountServiceAccountToken"] ?? account["automountServiceAccountToken"] ?? true) === true

/** The spec with the token mounted into each container that mounts nothing there itself. */
const withToken = (spec: Fields, newName: () => string): Fields => {
  const held = itemsOf(spec["volumes"]).find((volume) => textOf(volume["name"]).startsWith(VOLUME))
  const name = held === undefined ? newName() : textOf(held["name"])
  const mount = { name, readOnly: true, mountPath: MOUNT_PATH }
  let mounted = false
  const each = (containers: Json | undefined): Json | undefined =>
    containers === undefined
      ? undefined
      : (itemsOf(containers).map((container) => {
          const mounts = itemsOf(container["volumeMounts"])
          if (mounts.some(({ mountPath }) => mountPath === MOUNT_PATH)) return container
          mounted = true
          // Unlike a literal's, its elements leave no room to grow, which every pod would keep.
          return { ...container, volumeMounts: mounts.concat(mount) }
        }) as Json)
  const containers = each(spec["containers"])
  const initContainers = each(spec["initContainers"])
  if (!mounted) return spec
  return {
    ...spec,
    containers,
    ...(initContainers === undefined ? {} : { initContainers }),
    ...(held === undefined ? { volumes: [...itemsOf(spec["volumes"]), tokenVolume(name)] as Json } : {})
  }
}

const secretNames = (container: Fields): ReadonlyArray<string> => [
  ...itemsOf(container["env"]).map((variable) =>
    textOf(fieldsOf(fieldsOf(variable["valueFrom"])["secretKeyRef"])["name"])
  ),
  ...itemsOf(container["envFrom"]).map((source) => textOf(fieldsOf(source["secretRef"])["name"]))
]

/** Which secret of the pod its account does not list, for accounts that say that only those may be mounted. */
const secretProblem = (account: KubeObject, spec: Fields): string | undefined => {
  if (account.metadata.annotations?.[ENFORCE_SECRETS] !== "true") return undefined
  const allowed = new Set(itemsOf(account["secrets"]).map(({ name }) => textOf(name)))
  const owner = account.metadata.name ?? ""
  for (const volume of itemsOf(spec["volumes"])) {
    const name = textOf(fieldsOf(volume["secret"])["secretName"])
    if (name !== "" && !allowed.has(name))
      return `volume with secret.secretName="${name}" is not allowed because service account ${owner} does not reference that secret`
  }
  for (const [field, title] of [
    ["initContainers", "init container"],
    ["containers", "container"]
  ] as const)
    for (const container of itemsOf(spec[field])) {
      const name = secretNames(container).find((name) => name !== "" && !allowed.has(name))
      if (name !== undefined)
        return `${title} ${textOf(container["name"])} referencing secret.secretName="${name}" is not allowed because service account ${owner} does not reference that secret`
    }
  return undefined
}

const mirrorProblem = (spec: Fields): string | undefined => {
  if (textOf(spec["serviceAccountName"]) !== "") return "a mirror pod may not reference service accounts"
  const volumes = itemsOf(spec["volumes"])
  const containers = [...itemsOf(spec["initContainers"]), ...itemsOf(spec["containers"])]
  if (
    itemsOf(spec["imagePullSecrets"]).length > 0 ||
    volumes.some(({ secret }) => secret !== undefined) ||
    containers.some((container) => secretNames(container).some((name) => name !== ""))
  )
    return "a mirror pod may not reference secrets"
  return volumes.some(({ projected }) =>
    itemsOf(fieldsOf(projected)["sources"]).some(({ serviceAccountToken }) => serviceAccountToken !== undefined)
  )
    ? "a mirror pod may not use ServiceAccountToken volume projections"
    : undefined
}

/** ServiceAccount. */
export const serviceAccount = (api: Api): AdmissionPlugin => {
  const { clockwork } = api
  const accountOf = (
    namespace: string,
    name: string,
    looks: number,
    done: (account: KubeObject | ApiFailure) => void
  ): void =>
    readObject(api, gvr("", "v1", "serviceaccounts"), namespace, name, (found) => {
      if (!(found instanceof ApiFailure) || found.reason !== "NotFound") return done(found)
      if (looks > 1) clockwork.after(LOOK_AGAIN_MS, () => accountOf(namespace, name, looks - 1, done))
      else done(Failures.notFound({ group: "", resource: "serviceaccount", name }))
    })

  const admit = (admission: AdmissionRequest, object: KubeObject, account: KubeObject): KubeObject | ApiFailure => {
    const named: Fields = {
      ...fieldsOf(object.spec),
      serviceAccountName: account.metadata.name,
      serviceAccount: account.metadata.name
    }
    const spec = automounts(account, named) ? withToken(named, () => VOLUME + randomSuffix(clockwork.random)) : named
    const pulls = itemsOf(account["imagePullSecrets"])
    const pulling = itemsOf(spec["imagePullSecrets"]).length === 0 && pulls.length > 0
    const final = pulling ? { ...spec, imagePullSecrets: pulls.map(({ name }) => ({ name })) as Json } : spec
    const problem = secretProblem(account, final)
    return problem === undefined ? withSpec(object, final) : refusal(admission, problem)
  }

  return {
    name: "ServiceAccount",
    handles: (admission) => admission.operation === "CREATE" && isAbout(admission, "", "pods"),
    mutate: (admission, done) => {
      const { object, request } = admission
      if (object === undefined) return done({ object })
      const spec = fieldsOf(object.spec)
      if (object.metadata.annotations?.[MIRROR] !== undefined) {
        const problem = mirrorProblem(spec)
        return done(problem === undefined ? { object } : refusal(admission, problem))
      }
      const asked = textOf(spec["serviceAccountName"])
      const name = asked === "" ? "default" : asked
      const { namespace } = request
      accountOf(namespace, name, name === "default" ? LOOKS : 1, (account) => {
        if (account instanceof ApiFailure)
          return done(refusal(admission, `error looking up service account ${namespace}/${name}: ${account.message}`))
        const admitted = admit(admission, object, account)
        done(admitted instanceof ApiFailure ? admitted : { object: admitted })
      })
    }
  }
}
