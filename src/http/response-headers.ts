// The parameters by which S3 clients choose headers of an answer.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html

/** The headers by parameter. */
export const RESPONSE_HEADERS: Readonly<Record<string, string>> = {
  "response-content-type": "Content-Type",
  "response-content-language": "Content-Language",
  "response-content-encoding": "Content-Encoding",
  "response-content-disposition": "Content-Disposition",
  "response-cache-control": "Cache-Control",
  "response-expires": "Expires",
};
