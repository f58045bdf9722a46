// Azure's limits of templates; what a whole tree of nested deployments may come to is ours.

export const templateLimits = {
  templateCharacters: 4 * 1024 * 1024,
  parameters: 256,
  variables: 512,
  resources: 800,
  outputs: 64,
  copyCount: 800,
  nestingDepth: 5,
  resourcesInTree: 4_000,
} as const;
