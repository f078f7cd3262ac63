/** npm publish in the checkout would publish a package that names no addons: npm run release publishes. */
console.error(
  "publish with: npm run release (npm run release -- --dry-run tries everything first)",
);
process.exit(1);
