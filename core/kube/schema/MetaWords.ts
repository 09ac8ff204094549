// What `kubectl explain` says of the fields that every object has, in words of ours.
// Owns these few texts, in Kubernetes' way of beginning with the field's name; all other descriptions are left out of the documents.

/** Of the head of every object. */
export const HEAD_WORDS = {
  apiVersion: "APIVersion defines the version of the schema in which this object is written, like apps/v1.",
  kind: "Kind is the name of the type that this object is of, in CamelCase; it cannot be changed.",
  metadata: "Standard object's metadata: its name, labels, owners and what else every object has."
} as const

/** Of the fields of metadata. */
export const METADATA_WORDS: Readonly<Record<string, string>> = {
  annotations: "Annotations are texts by key that tools keep with the object; nothing is selected by them.",
  creationTimestamp: "CreationTimestamp is a timestamp of when the server made the object. Set by the server.",
  deletionGracePeriodSeconds:
    "Seconds that the object has to end by itself once it is being deleted. Set by the server.",
  deletionTimestamp: "DeletionTimestamp is when the object is to be gone, once it is being deleted. Set by the server.",
  finalizers: "Finalizers name those who must act before a deleted object goes; while there is one, the object stays.",
  generateName: "GenerateName is a prefix; the server makes a unique name of it where no name is given.",
  generation: "Generation counts the changes of what is desired. Set by the server.",
  labels: "Labels are texts by key by which objects are grouped and selected.",
  managedFields: "ManagedFields tell which manager wrote which fields, for server-side apply.",
  name: "Name is unique among the objects of a kind in a namespace, and cannot be changed.",
  namespace: "Namespace is the space in which the name is unique; objects of the whole cluster have none.",
  ownerReferences: "OwnerReferences name the objects that this one belongs to; it goes when all of them are gone.",
  resourceVersion: "ResourceVersion tells versions of the object apart; clients compare it for equality only.",
  selfLink: "SelfLink is no longer filled in.",
  uid: "UID tells this object from all others, of whatever time and name. Set by the server."
}
