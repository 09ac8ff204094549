// The rules of a claim on storage, standing alone, in a StatefulSet or in a pod's ephemeral volume.
// Owns these checks; source: kubernetes pkg/apis/core/validation.
import { Names } from "#kube"
import { type Fields, fieldsIn, fieldsOf, textOf, textsOf } from "../Fields.ts"
import { forbidden, invalid, invalidEach, notSupported, optionalOneOf, type Problems, required } from "../Problems.ts"
import { amountOf } from "../Resources.ts"
import { checkSelector } from "../Selectors.ts"

/** Checks the modes of access that a volume is asked for or offers. */
export const checkAccessModes = (modes: unknown, path: string, problems: Problems): void => {
  const all = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
  const asked = textsOf(modes)
  asked.forEach((mode) => {
    if (!all.includes(mode)) problems.push(notSupported(path, mode, all))
  })
  if (asked.includes("ReadWriteOncePod") && new Set(asked).size > 1) {
    problems.push(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
  }
}

const checkDataSource = (source: Fields, path: string, problems: Problems): void => {
  const group = textOf(source["apiGroup"])
  const kind = textOf(source["kind"])
  if (textOf(source["name"]) === "") problems.push(required(`${path}.name`))
  if (kind === "") problems.push(required(`${path}.kind`))
  if (group === "" && kind !== "PersistentVolumeClaim") {
    problems.push(invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
  }
  if (group !== "") invalidEach(`${path}.apiGroup`, group, Names.dnsSubdomain(group), problems)
}

/** Checks the spec of a claim. */
export const checkClaimSpec = (spec: Fields, path: string, problems: Problems): void => {
  if (textsOf(spec["accessModes"]).length === 0) {
    problems.push(required(`${path}.accessModes`, "at least 1 access mode is required"))
  }
  checkSelector(spec["selector"], `${path}.selector`, problems)
  checkAccessModes(spec["accessModes"], `${path}.accessModes`, problems)
  const asked = fieldsOf(fieldsOf(spec["resources"])["requests"])["storage"]
  if (asked === undefined) problems.push(required(`${path}.resources[storage]`))
  else if (amountOf(asked).sign <= 0) {
    const place = `${path}.resources[storage]`
    problems.push(invalid(place, amountOf(asked).toString(), "must be greater than zero"))
  }
  for (const name of ["storageClassName", "volumeAttributesClassName"]) {
    const given = textOf(spec[name])
    if (given !== "") invalidEach(`${path}.${name}`, given, Names.dnsSubdomain(given), problems)
  }
  optionalOneOf(`${path}.volumeMode`, spec["volumeMode"], ["Block", "Filesystem"], problems)
  const source = fieldsIn(spec["dataSource"])
  if (source !== undefined) checkDataSource(source, `${path}.dataSource`, problems)
  const reference = fieldsIn(spec["dataSourceRef"])
  if (reference !== undefined) checkDataSource(reference, `${path}.dataSourceRef`, problems)
}
