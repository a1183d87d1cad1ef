// The region of this cache as a bucket. `auto` is R2's only one; requests may be signed for any.
export const REGION = "auto";
/** With the answer to HeadBucket and to everything else about a bucket. */
export const REGION_HEADER = "x-amz-bucket-region";
