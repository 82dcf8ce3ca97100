"""Ed25519 signatures: base64 of the raw signature (``binance-usdm.md §2.1``). HMAC lives in ``auth``."""

import base64
import binascii

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from .accounts import Account


def check_public_key(text: str) -> str:
    """Give a public key in PEM form as it came; anything else is a ValueError."""
    key = ECC.import_key(text)
    if key.curve != "Ed25519" or key.has_private():
        raise ValueError("not an Ed25519 public key")
    return text


def is_ed25519_signed(account: Account, text: str, signature: str) -> bool:
    """Tell whether a text carries the signature of an account's registered key."""
    if not account.ed25519_key:
        return False
    try:
        eddsa.new(ECC.import_key(account.ed25519_key), "rfc8032").verify(
            text.encode(), base64.b64decode(signature, validate=True)
        )
    except (ValueError, binascii.Error):
        return False
    return True
