// Verify a postback: `go run verify.go SECRET ID TIMESTAMP SIGNATURES < body`; exits 0 if it is genuine.
// SECRET is `whsec_…` or the public key `whpk_…`. Nothing to install. Copy Verify and fits into your receiver.
package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const toleranceS = 300

// Verify tells whether one of the signatures fits and the request is at most five minutes old.
func Verify(secret, id, timestamp, signatures string, body []byte) bool {
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if age := time.Now().Unix() - at; err != nil || age > toleranceS || age < -toleranceS {
		return false
	}
	content := append([]byte(id+"."+timestamp+"."), body...)
	for _, signature := range strings.Fields(signatures) {
		if fits(secret, signature, content) {
			return true
		}
	}
	return false
}

func fits(secret, signature string, content []byte) bool {
	version, text, _ := strings.Cut(signature, ",")
	prefix, encoded, _ := strings.Cut(secret, "_")
	given, err := base64.StdEncoding.DecodeString(text)
	key, keyErr := base64.StdEncoding.DecodeString(encoded)
	if err != nil || keyErr != nil {
		return false
	}
	switch {
	case version == "v1" && prefix == "whsec":
		mac := hmac.New(sha256.New, key)
		mac.Write(content)
		return hmac.Equal(given, mac.Sum(nil))
	case version == "v1a" && prefix == "whpk" && len(key) == ed25519.PublicKeySize:
		return ed25519.Verify(key, content, given)
	}
	return false
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil || len(os.Args) < 5 || !Verify(os.Args[1], os.Args[2], os.Args[3], os.Args[4], body) {
		os.Exit(1)
	}
}
