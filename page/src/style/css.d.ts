/** The style sheet, which Vite takes out of the code. */
declare module "*.css";
