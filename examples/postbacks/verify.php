<?php
// Verify a postback: `php verify.php SECRET ID TIMESTAMP SIGNATURES < body`; exits 0 if it is genuine.
// SECRET is `whsec_…` or the public key `whpk_…`, which needs the sodium extension. Copy both functions.

const TOLERANCE_S = 300;

function verify(string $secret, string $id, string $timestamp, string $signatures, string $body): bool
{
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE_S) {
        return false;
    }
    foreach (explode(' ', $signatures) as $signature) {
        if (fits($secret, $signature, "$id.$timestamp.$body")) {
            return true;
        }
    }
    return false;
}

function fits(string $secret, string $signature, string $content): bool
{
    [$version, $text] = array_pad(explode(',', $signature, 2), 2, '');
    $given = base64_decode($text, true);
    if ($given === false) {
        return false;
    }
    if ($version === 'v1' && str_starts_with($secret, 'whsec_')) {
        $key = base64_decode(substr($secret, 6), true);
        return hash_equals(hash_hmac('sha256', $content, $key, true), $given);
    }
    if ($version === 'v1a' && str_starts_with($secret, 'whpk_') && strlen($given) === 64) {
        return sodium_crypto_sign_verify_detached($given, $content, base64_decode(substr($secret, 5), true));
    }
    return false;
}

if (realpath($argv[0] ?? '') === __FILE__) {
    exit(verify($argv[1], $argv[2], $argv[3], $argv[4], stream_get_contents(STDIN)) ? 0 : 1);
}
